-- What the scripts of one shard share; put before each of them. The same rules in Rust are src/queue/shard.rs.
--
-- KEYS[1] is the shard's prefix with its hash tag, so that every key lies in one slot:
--   m          HASH  gen, turn, nonce, hints (how many)
--   l:LANE     ZSET  hints of a lane: class * 2^51 + due -> id (16 bytes)
--   a:ACCOUNT  ZSET  ready lanes of an account: class * 2^51 + turn -> lane
--   r          ZSET  accounts in line: class * 2^51 + turn -> account
--   t          ZSET  the next moment at which time alone changes something -> "a" account or "l" lane
--   o          HASH  leased lane -> nonce; the lane's timer is the end of its lease
--   z          HASH  resting lane -> until
--   c:ACCOUNT  HASH  i, b: pace; t: arrival of the next call by the generic cell rate algorithm; g: gated until
-- LANE is the account's id (26 characters), a colon and the lane's own name. Times are ticks: microseconds since 2020.
-- ARGV[1] is the present tick in tests; in use it is empty, and the time is the server's.

local call, prefix = redis.call, KEYS[1]
local CLASS = 2 ^ 51
local LAST = CLASS - 1
local LINE, TIMERS, LEASES, RESTS, META = prefix .. 'r', prefix .. 't', prefix .. 'o', prefix .. 'z', prefix .. 'm'

local now
if ARGV[1] == '' then
  local time = call('TIME')
  now = (tonumber(time[1]) - 1577836800) * 1000000 + tonumber(time[2])
else
  now = tonumber(ARGV[1])
end

local known = call('HMGET', META, 'gen', 'turn', 'nonce', 'hints')
local turn, nonce, hints = tonumber(known[2] or 0), tonumber(known[3] or 0), tonumber(known[4] or 0)
local was_turn, was_nonce, was_hints = turn, nonce, hints

local function remember()
  if turn ~= was_turn or nonce ~= was_nonce or hints ~= was_hints then
    call('HSET', META, 'turn', turn, 'nonce', nonce, 'hints', hints)
  end
end

local function class_of(score)
  return math.floor(tonumber(score) / CLASS)
end

local function account_of(lane)
  return string.sub(lane, 1, 26)
end

-- Distinct things in the order in which they first came.
local function touched()
  local all, seen = {}, {}
  return all, function(thing)
    if not seen[thing] then
      seen[thing] = true
      all[#all + 1] = thing
    end
  end
end

local accounts, touch = touched()

local paces = {}
local function pace_of(account)
  local pace = paces[account]
  if not pace then
    local kept = call('HMGET', prefix .. 'c:' .. account, 'i', 'b', 't', 'g')
    pace = { interval = tonumber(kept[1] or 0), burst = tonumber(kept[2] or 1), arrival = kept[3] and tonumber(kept[3]),
             gate = kept[4] and tonumber(kept[4]) }
    paces[account] = pace
  end
  return pace
end

-- The first due hint of a lane as its class, id and due time, and the next moment at which another one comes before it.
local function head(lane)
  local from, wake = 0, nil
  while from < 4 * CLASS do
    local found = call('ZRANGEBYSCORE', prefix .. 'l:' .. lane, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if not found[1] then break end
    local class = class_of(found[2])
    local due = tonumber(found[2]) - class * CLASS
    if due <= now then return class, found[1], due, wake end
    if not wake or due < wake then wake = due end
    from = (class + 1) * CLASS
  end
  return nil, nil, nil, wake
end

-- Puts a member into a line of places, unless it is there in its class: then it keeps its turn.
local function place(line, member, class)
  local score = call('ZSCORE', line, member)
  if class then
    if not score or class_of(score) ~= class then
      turn = turn + 1
      call('ZADD', line, class * CLASS + turn, member)
    end
  elseif score then
    call('ZREM', line, member)
  end
end

-- Puts an account in line, or sets the timer for when it may be.
local function rank_account(account)
  local pace = pace_of(account)
  local first = call('ZRANGE', prefix .. 'a:' .. account, 0, 0, 'WITHSCORES')
  local opens = math.max(0, (pace.arrival or 0) - math.min(pace.interval * (pace.burst - 1), LAST), pace.gate or 0)
  if first[1] and opens > now then
    call('ZADD', TIMERS, opens, 'a' .. account)
    call('ZREM', LINE, account)
  else
    if pace.arrival or pace.gate then call('ZREM', TIMERS, 'a' .. account) end
    place(LINE, account, first[1] and class_of(first[2]))
  end
end

local function rank_accounts()
  for _, account in ipairs(accounts) do rank_account(account) end
end

-- Gives a lane that is not leased its place among its account's ready ones and its timer.
local function rank_lane(lane)
  local class, wake, _
  local rest = call('HGET', RESTS, lane)
  if rest and tonumber(rest) > now then
    wake = tonumber(rest)
  else
    if rest then call('HDEL', RESTS, lane) end
    class, _, _, wake = head(lane)
  end
  local account = account_of(lane)
  if wake then call('ZADD', TIMERS, wake, 'l' .. lane) else call('ZREM', TIMERS, 'l' .. lane) end
  place(prefix .. 'a:' .. account, lane, class)
  touch(account)
end

local function rank_lanes(lanes)
  for _, lane in ipairs(lanes) do
    if call('HEXISTS', LEASES, lane) == 0 then rank_lane(lane) end
  end
end

local function first_timer()
  return tonumber(call('ZRANGE', TIMERS, 0, 0, 'WITHSCORES')[2])
end

local was_first = first_timer()
-- Whether somebody who waits should look again: somebody is in line, or there is something to do earlier than before.
local function is_news()
  local first = first_timer()
  if (first and (not was_first or first < was_first)) or call('EXISTS', LINE) == 1 then return 1 end
  return 0
end
