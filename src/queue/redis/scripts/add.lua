-- Adds hints; one already there takes the new class and due time.
-- ARGV from 2: lane, id, class, due, interval and burst of the account's pace, for each. Answers whether it is news.
local lanes, rank = touched()
local named, name = touched()
local told, tell_of = touched()
for i = 2, #ARGV, 6 do
  name(account_of(ARGV[i]))
  tell_of(ARGV[i])
end
read_paces(named)
read_leases(told)
for i = 2, #ARGV, 6 do
  local lane, id, class = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local due, interval, burst = tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  local account = account_of(lane)
  local pace = paces[account]
  if pace.interval ~= interval or pace.burst ~= burst then
    pace.interval, pace.burst = interval, burst
    changed_paces[account] = true
    touch(account)
  end
  local before = call('ZSCORE', prefix .. 'l:' .. lane, id)
  if not before or tonumber(before) ~= class * CLASS + due then
    if not before then hints = hints + 1 end
    put(lane, id, before, class, due)
    rank(lane)
  end
end
rank_lanes(lanes)
rank_accounts()
tell_all()
return is_news()
