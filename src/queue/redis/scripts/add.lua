-- Adds hints; one already there takes the new class and due time.
-- ARGV from 2: lane, id, class, due, interval and burst of the account's pace, for each. Answers whether it is news.
local lanes, rank = touched()
local paced = {}
for i = 2, #ARGV, 6 do
  local lane, id, class = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local due, interval, burst = tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  local account = account_of(lane)
  local pace = pace_of(account)
  if pace.interval ~= interval or pace.burst ~= burst then
    pace.interval, pace.burst = interval, burst
    paced[account] = true
    touch(account)
  end
  local key, score = prefix .. 'l:' .. lane, class * CLASS + due
  local before = call('ZSCORE', key, id)
  if not before or tonumber(before) ~= score then
    if not before then hints = hints + 1 end
    call('ZADD', key, score, id)
    rank(lane)
  end
end
for account in pairs(paced) do
  call('HSET', prefix .. 'c:' .. account, 'i', paces[account].interval, 'b', paces[account].burst)
end
rank_lanes(lanes)
rank_accounts()
remember()
return is_news()
