-- Adds hints; one already there takes the new class and due time.
-- ARGV from 2: lane, id, class, due, interval and burst of the account's pace, for each. Answers whether it is news.
local lanes, rank = touched()
local named, name = touched()
for i = 2, #ARGV, 6 do name(account_of(ARGV[i])) end
read_paces(named)
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
  local key, score = prefix .. 'l:' .. lane, class * CLASS + due
  local before = call('ZSCORE', key, id)
  if not before or tonumber(before) ~= score then
    if not before then
      hints = hints + 1
    else
      local was = tonumber(before) - class_of(before) * CLASS
      if due < was and tonumber(call('HGET', RESTS, lane) or 0) == was then call('HDEL', RESTS, lane) end
    end
    call('ZADD', key, score, id)
    rank(lane)
  end
end
rank_lanes(lanes)
rank_accounts()
tell_all()
return is_news()
