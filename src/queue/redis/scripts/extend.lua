-- Prolongs leases. ARGV from 2: how long, then lane and nonce of each. Answers the lanes that have another lease or none.
local lost, lanes = {}, {}
local ends = math.min(now + tonumber(ARGV[2]), LAST)
for i = 3, #ARGV, 2 do lanes[#lanes + 1] = ARGV[i] end
for i, lease in ipairs(ask('HMGET', LEASES, lanes)) do
  if is_lease(lease, ARGV[2 * i + 2]) then
    timers['l' .. lanes[i]] = ends
  else
    lost[#lost + 1] = lanes[i]
  end
end
tell_timers()
return lost
