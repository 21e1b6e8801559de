-- Moves hints, or takes them out. ARGV from 2: when to (empty: out), then lane and id of each. Answers whether it is news.
local to = tonumber(ARGV[2])
local lanes, rank = touched()
local named, name = touched()
for i = 3, #ARGV, 2 do name(ARGV[i]) end
read_leases(named)
for i = 3, #ARGV, 2 do
  local lane, id = ARGV[i], ARGV[i + 1]
  local score = call('ZSCORE', prefix .. 'l:' .. lane, id)
  if score then
    local class = class_of(score)
    if not to then
      call('ZREM', prefix .. 'l:' .. lane, id)
      hints = hints - 1
      stir(lane)
    elseif tonumber(score) ~= class * CLASS + to then
      put(lane, id, score, class, to)
    end
    rank(lane)
  end
end
rank_lanes(lanes)
rank_accounts()
tell_all()
return is_news()
