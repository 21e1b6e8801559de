-- What the scripts of one shard share; put before each of them. The same rules in Rust are src/queue/shard.rs.
--
-- KEYS[1] is the shard's prefix with its hash tag, so that every key lies in one slot:
--   m          HASH  gen, turn, nonce, hints (how many)
--   l:LANE     ZSET  hints of a lane: class * 2^51 + due -> id (16 bytes)
--   a:ACCOUNT  ZSET  ready lanes of an account: class * 2^51 + turn -> lane
--   r          ZSET  accounts in line: class * 2^51 + turn -> account
--   t          ZSET  the next moment at which time alone changes something -> "a" account or "l" lane
--   o          HASH  leased lane -> nonce, with a + once a hint of the lane was added or changed since; the lane's timer is
--                    the end of its lease
--   z          HASH  resting lane -> until; leased lane -> 0 once a hint of it moved or went: it does not rest at the
--                    lease's end
--   c          HASH  account -> interval and burst of its pace, arrival of the next call by the generic cell rate
--                    algorithm, gated until (0: neither); an account that has none of them is not in it
-- LANE is the account's id (26 characters), a colon and the lane's own name. Times are ticks: microseconds since 2020.
-- ARGV[1] is the present tick in tests; in use it is empty, and the time is the server's.

local call, prefix = redis.call, KEYS[1]
local CLASS = 2 ^ 51
local LAST = CLASS - 1
local LINE, TIMERS, LEASES, RESTS = prefix .. 'r', prefix .. 't', prefix .. 'o', prefix .. 'z'
local PACES, META = prefix .. 'c', prefix .. 'm'
-- Arguments of one call: Lua's stack has a bound. Even, so that a pair stays together.
local ARGUMENTS_AT_ONCE = 1000

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

-- A number as text: Redis's own way takes several times as long.
local function whole(number)
  return string.format('%d', number)
end

-- A call costs more than what it does: what can be asked or told of many at once, is.

-- Tells one command of many things.
local function tell(command, key, things)
  for from = 1, #things, ARGUMENTS_AT_ONCE do
    call(command, key, unpack(things, from, math.min(from + ARGUMENTS_AT_ONCE - 1, #things)))
  end
end

-- What a command answers about each of many things.
local function ask(command, key, things)
  local answers = {}
  for from = 1, #things, ARGUMENTS_AT_ONCE do
    local some = call(command, key, unpack(things, from, math.min(from + ARGUMENTS_AT_ONCE - 1, #things)))
    for _, answer in ipairs(some) do answers[#answers + 1] = answer end
  end
  return answers
end

-- Scores that members of a sorted set are to have (false: none), told at once.
local function scores_of(key)
  local scores = {}
  return scores, function()
    local given, gone = {}, {}
    for member, score in pairs(scores) do
      if score then
        given[#given + 1] = whole(score)
        given[#given + 1] = member
      else
        gone[#gone + 1] = member
      end
      scores[member] = nil
    end
    tell('ZADD', key, given)
    tell('ZREM', key, gone)
  end
end

local timers, tell_timers = scores_of(TIMERS)
local line, tell_line = scores_of(LINE)

local function class_of(score)
  return math.floor(tonumber(score) / CLASS)
end

local function account_of(lane)
  return string.sub(lane, 1, 26)
end

local function ready_of(account)
  return prefix .. 'a:' .. account
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

local paces, changed_paces = {}, {}
local function read_paces(of)
  local missing = {}
  for _, account in ipairs(of) do
    if not paces[account] then missing[#missing + 1] = account end
  end
  for i, kept in ipairs(ask('HMGET', PACES, missing)) do
    local interval, burst, arrival, gate = string.match(kept or '', '(%d+) (%d+) (%d+) (%d+)')
    paces[missing[i]] = { interval = tonumber(interval or 0), burst = tonumber(burst or 1),
                          arrival = tonumber(arrival or 0), gate = tonumber(gate or 0) }
  end
end

local function tell_paces()
  local kept, gone = {}, {}
  for account in pairs(changed_paces) do
    local pace = paces[account]
    if pace.interval == 0 and pace.burst == 1 and pace.arrival <= now and pace.gate <= now then
      gone[#gone + 1] = account
    else
      kept[#kept + 1] = account
      kept[#kept + 1] = string.format('%.0f %.0f %.0f %.0f', pace.interval, pace.burst, pace.arrival, pace.gate)
    end
  end
  tell('HSET', PACES, kept)
  tell('HDEL', PACES, gone)
end

-- The class of a lane's first due hint; that hint and those behind it, together `most`, each with its score, whatever their
-- class and due time; and the next moment at which another one comes before it.
local function head(lane, most)
  local from, wake = 0, nil
  while from < 4 * CLASS do
    local found = call('ZRANGEBYSCORE', prefix .. 'l:' .. lane, from, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
    if not found[1] then break end
    local class = class_of(found[2])
    local due = tonumber(found[2]) - class * CLASS
    if due <= now then return class, found, wake end
    if not wake or due < wake then wake = due end
    from = (class + 1) * CLASS
  end
  return nil, nil, wake
end

local leases = {}
local function read_leases(of)
  local missing = {}
  for _, lane in ipairs(of) do
    if leases[lane] == nil then missing[#missing + 1] = lane end
  end
  for i, lease in ipairs(ask('HMGET', LEASES, missing)) do leases[missing[i]] = lease end
end

local function is_lease(lease, nonce)
  return lease == nonce or lease == nonce .. '+'
end

-- Ends a lane's rest, since one of its hints got another time (nil: went); not where that time is what it rests until. Its
-- lease must have been read.
local function stir(lane, to)
  local rest = call('HGET', RESTS, lane)
  if rest and tonumber(rest) == to then return end
  if leases[lane] then
    call('HSET', RESTS, lane, 0)
  elseif rest then
    call('HDEL', RESTS, lane)
  end
end

-- Gives a hint that had the score `before` (false: none) another one. The lane's lease must have been read.
local function put(lane, id, before, class, due)
  if before and tonumber(before) % CLASS ~= due then stir(lane, due) end
  local lease = leases[lane]
  if lease then
    local held = string.match(lease, '%d+')
    if lease == held then
      leases[lane] = held .. '+'
      call('HSET', LEASES, lane, leases[lane])
    end
    if before then due = math.max(due, math.min(tonumber(held) + 1, LAST)) end
  end
  call('ZADD', prefix .. 'l:' .. lane, whole(class * CLASS + due), id)
end

-- Gives lanes that nobody holds their place among their account's ready ones and their timer; one that keeps its class
-- keeps its turn. Those just given back (held) have no place.
local function rank_free(lanes, held)
  local rested = {}
  for i, rest in ipairs(ask('HMGET', RESTS, lanes)) do
    local lane, class, wake, _ = lanes[i], nil, rest and tonumber(rest), nil
    if not wake or wake <= now then
      if rest then rested[#rested + 1] = lane end
      class, _, wake = head(lane, 1)
    end
    timers['l' .. lane] = wake or false
    local account = account_of(lane)
    local score = not held and call('ZSCORE', ready_of(account), lane)
    if class and not (score and class_of(score) == class) then
      turn = turn + 1
      call('ZADD', ready_of(account), whole(class * CLASS + turn), lane)
    elseif score and not class then
      call('ZREM', ready_of(account), lane)
    end
    touch(account)
  end
  tell('HDEL', RESTS, rested)
end

-- The same of lanes of which some may be held: those wait for the end of their lease.
local function rank_lanes(lanes)
  local free = {}
  read_leases(lanes)
  for _, lane in ipairs(lanes) do
    if not leases[lane] then free[#free + 1] = lane end
  end
  rank_free(free)
end

-- When an account may send next, for reasons of its own.
local function opens(pace)
  return math.max(0, pace.arrival - math.min(pace.interval * (pace.burst - 1), LAST), pace.gate)
end

-- Puts an account in line by the score of its first ready lane, or sets the timer for when it may be; one that keeps its
-- class keeps its turn.
local function rank_account(account, first, score)
  local pace = paces[account]
  local from = opens(pace)
  local class = first and from <= now and class_of(first)
  if first and from > now then
    timers['a' .. account] = from
  elseif pace.arrival > 0 or pace.gate > 0 then
    timers['a' .. account] = false
  end
  if class and not (score and class_of(score) == class) then
    turn = turn + 1
    line[account] = class * CLASS + turn
  elseif score and not class then
    line[account] = false
  end
end

local function rank_accounts()
  read_paces(accounts)
  for i, score in ipairs(ask('ZMSCORE', LINE, accounts)) do
    local account = accounts[i]
    rank_account(account, call('ZRANGE', ready_of(account), 0, 0, 'WITHSCORES')[2], score)
  end
end

local function tell_all()
  tell_timers()
  tell_line()
  tell_paces()
  if turn ~= was_turn or nonce ~= was_nonce or hints ~= was_hints then
    call('HSET', META, 'turn', turn, 'nonce', nonce, 'hints', hints)
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
