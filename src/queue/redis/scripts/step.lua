-- Takes back what is done, wakes what is due, and hands out lanes.
-- ARGV from 2: a generation to take if there is none; process, number of this step, number of its first step that got no
-- answer (0: all did); how many lanes, how long a lease, how many hints of each lane; then for each one done: lane, nonce,
-- rest (or empty), how many hints nobody came to, how many are finished, their ids.
-- Answers: generation, now, first timer (or -1), whether accounts are still in line, then of each claim: lane, nonce, and
-- id and due time of each hint.
local TIMERS_A_STEP = 256

local generation = known[1]
if not generation then
  generation = ARGV[2]
  call('HSET', META, 'gen', generation)
end

-- An answer that never arrived may have handed out lanes: nobody works on them.
local handed = prefix .. 'w:' .. ARGV[3]
local number, unanswered = tonumber(ARGV[4]), tonumber(ARGV[5])
local given_back = {}
if unanswered > 0 then
  local kept = call('HGETALL', handed)
  local lanes, nonces, by = {}, {}, nil
  for i = 1, #kept, 2 do
    if kept[i] == '' then
      by = tonumber(kept[i + 1])
    else
      lanes[#lanes + 1], nonces[#nonces + 1] = kept[i], kept[i + 1]
    end
  end
  if by and by >= unanswered then
    for i, lease in ipairs(ask('HMGET', LEASES, lanes)) do
      if is_lease(lease, nonces[i]) then given_back[#given_back + 1] = lanes[i] end
    end
    tell('HDEL', LEASES, given_back)
  end
end

-- What goes of a lane that was told of something since it was leased: what was due by then. What came later is news.
local function finish_but_news(key, leased, from, to)
  local old = {}
  for i, score in ipairs(call('ZMSCORE', key, unpack(ARGV, from, to))) do
    if score and tonumber(score) % CLASS <= leased then old[#old + 1] = ARGV[from + i - 1] end
  end
  return #old > 0 and call('ZREM', key, unpack(old)) or 0
end

local told = {}
local at = 9
while ARGV[at] do
  told[#told + 1] = ARGV[at]
  at = at + 5 + tonumber(ARGV[at + 4])
end
local rests, ended = {}, {}
at = 9
for i, lease in ipairs(ask('HMGET', LEASES, told)) do
  local lane, rest, untouched, finished = told[i], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  -- Another nonce: it was reaped meanwhile, and is perhaps another worker's by now. The same lane twice: done already.
  if is_lease(lease, ARGV[at + 1]) and not ended[lane] then
    ended[lane] = true
    given_back[#given_back + 1] = lane
    for id = at + 5, at + 4 + finished, ARGUMENTS_AT_ONCE do
      local last = math.min(id + ARGUMENTS_AT_ONCE - 1, at + 4 + finished)
      if lease == ARGV[at + 1] then
        hints = hints - call('ZREM', prefix .. 'l:' .. lane, unpack(ARGV, id, last))
      else
        hints = hints - finish_but_news(prefix .. 'l:' .. lane, tonumber(ARGV[at + 1]), id, last)
      end
    end
    if untouched > 0 then
      local account = account_of(lane)
      read_paces({ account })
      local pace = paces[account]
      pace.arrival = math.max(0, pace.arrival - math.min(pace.interval * untouched, LAST))
      changed_paces[account] = true
    end
    local kept = rest and call('HGET', RESTS, lane)
    if rest and kept ~= '0' and rest > tonumber(kept or 0) then
      rests[#rests + 1] = lane
      rests[#rests + 1] = rest
    end
  end
  at = at + 5 + finished
end
tell('HDEL', LEASES, given_back)
tell('HSET', RESTS, rests)
rank_free(given_back, true)
tell_timers()

local over = call('ZRANGEBYSCORE', TIMERS, '-inf', now, 'LIMIT', 0, TIMERS_A_STEP)
local woken = {}
for _, timer in ipairs(over) do
  local name = string.sub(timer, 2)
  if string.sub(timer, 1, 1) == 'a' then
    touch(name)
  else
    woken[#woken + 1] = name
    touch(account_of(name))
  end
end
tell('ZREM', TIMERS, over)
-- A leased lane's timer is the end of its lease.
tell('HDEL', LEASES, woken)
rank_free(woken)
rank_accounts()
tell_line()

local until_ = math.min(now + tonumber(ARGV[7]), LAST)
local answer, leased = {}, {}
local wanted, tries, of_each = tonumber(ARGV[6]), 2 * tonumber(ARGV[6]), tonumber(ARGV[8])
-- Of the line as it was when it was read, the next one; and the best place that one of them has got since.
local waiting, next_one, best = {}, 1, nil
while wanted > 0 and tries > 0 do
  if not waiting[next_one] or (best and best < tonumber(waiting[next_one + 1])) then
    tell_line()
    waiting, next_one, best = call('ZRANGE', LINE, 0, wanted - 1, 'WITHSCORES'), 1, nil
    if not waiting[1] then break end
    local those = {}
    for i = 1, #waiting, 2 do those[#those + 1] = waiting[i] end
    read_paces(those)
  end
  tries = tries - 1
  local account = waiting[next_one]
  next_one = next_one + 2
  local ready = call('ZRANGE', ready_of(account), 0, 1, 'WITHSCORES')
  local lane, following = ready[1], ready[4]
  local class, found
  if lane then
    class, found = head(lane, of_each)
    call('ZREM', ready_of(account), lane)
  end
  -- A server that evicts keys may have dropped the lane or the list of lanes.
  if class then
    nonce = math.max(nonce + 1, now)
    leased[#leased + 1] = lane
    leased[#leased + 1] = whole(nonce)
    timers['l' .. lane] = until_
    local pace, due = paces[account], {}
    for i = 1, #found, 2 do
      local score = tonumber(found[i + 1])
      if score > class * CLASS + now or opens(pace) > now then break end
      if pace.interval > 0 then
        pace.arrival = math.min(math.max(pace.arrival, now) + pace.interval, LAST)
        changed_paces[account] = true
      end
      due[i], due[i + 1] = found[i], score - class * CLASS
    end
    wanted = wanted - 1
    answer[#answer + 1] = { lane, nonce, due }
  end
  -- Whoever got something goes to the end of the line of its class.
  line[account] = false
  rank_account(account, following)
  if line[account] and (not best or line[account] < best) then best = line[account] end
end
tell('HSET', LEASES, leased)

if #leased > 0 then
  call('DEL', handed)
  call('HSET', handed, '', number)
  tell('HSET', handed, leased)
  -- As long as the leases in it at most.
  call('PEXPIRE', handed, math.ceil(tonumber(ARGV[7]) / 1000) + 1)
end
tell_all()
return { generation, now, first_timer() or -1, call('EXISTS', LINE), answer }
