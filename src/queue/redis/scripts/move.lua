-- Moves hints, or takes them out. ARGV from 2: when to (empty: out), then lane and id of each. Answers whether it is news.
local to = tonumber(ARGV[2])
local lanes, rank = touched()
for i = 3, #ARGV, 2 do
  local key, id = prefix .. 'l:' .. ARGV[i], ARGV[i + 1]
  local score = call('ZSCORE', key, id)
  if score then
    if to then
      call('ZADD', key, class_of(score) * CLASS + to, id)
    else
      call('ZREM', key, id)
      hints = hints - 1
    end
    rank(ARGV[i])
  end
end
rank_lanes(lanes)
rank_accounts()
tell_all()
return is_news()
