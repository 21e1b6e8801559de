-- Takes calls from the budget of a network's app. KEYS[1]: the app's key, in a slot of its own.
-- ARGV: the present tick (tests only), how many may be taken in a window by this class, the window, how many are wanted.
local now
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now = (tonumber(time[1]) - 1577836800) * 1000000 + tonumber(time[2])
else
  now = tonumber(ARGV[1])
end
local limit, window, wanted = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'ends', 'taken')
local ends, taken = tonumber(kept[1] or 0), tonumber(kept[2] or 0)
if ends <= now then ends, taken = math.min(now + window, 2 ^ 51 - 1), 0 end
local given = math.max(0, math.min(wanted, limit - taken))
redis.call('HSET', KEYS[1], 'ends', ends, 'taken', taken + given)
-- An app that nobody uses any more is forgotten.
redis.call('PEXPIRE', KEYS[1], math.min(math.ceil(window / 1000), 2 ^ 40) + 1000)
return given
