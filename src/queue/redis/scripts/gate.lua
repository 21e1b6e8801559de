-- Closes a lane or an account. ARGV from 2: account, lane (empty: the whole account), until (empty: open). Answers
-- whether it is news.
local account, lane, closes = ARGV[2], ARGV[3], tonumber(ARGV[4])
if closes and closes <= now then closes = nil end
if lane == '' then
  local pace = pace_of(account)
  pace.gate = closes or 0
  if closes then
    call('HSET', prefix .. 'c:' .. account, 'g', closes)
  else
    call('HDEL', prefix .. 'c:' .. account, 'g')
  end
  touch(account)
else
  if closes then call('HSET', RESTS, lane, closes) else call('HDEL', RESTS, lane) end
  rank_lanes({ lane })
end
rank_accounts()
remember()
return is_news()
