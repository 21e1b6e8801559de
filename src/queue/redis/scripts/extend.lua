-- Prolongs leases. ARGV from 2: how long, then lane and nonce of each. Answers the lanes that have another lease or none.
local lost = {}
local ends = math.min(now + tonumber(ARGV[2]), LAST)
for i = 3, #ARGV, 2 do
  if call('HGET', LEASES, ARGV[i]) == ARGV[i + 1] then
    call('ZADD', TIMERS, ends, 'l' .. ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
