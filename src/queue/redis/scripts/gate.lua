-- Closes a lane or an account. ARGV from 2: account, lane (empty: the whole account), until (empty: open). Answers
-- whether it is news.
local account, lane, closes = ARGV[2], ARGV[3], tonumber(ARGV[4])
if closes and closes <= now then closes = nil end
if lane == '' then
  read_paces({ account })
  paces[account].gate = closes or 0
  changed_paces[account] = true
  -- Whether or not it was gated until now.
  timers['a' .. account] = false
  touch(account)
else
  read_leases({ lane })
  if closes then call('HSET', RESTS, lane, closes) else stir(lane) end
  rank_lanes({ lane })
end
rank_accounts()
tell_all()
return is_news()
