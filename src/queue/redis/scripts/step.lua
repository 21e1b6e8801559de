-- Takes back what is done, wakes what is due, and hands out lanes.
-- ARGV from 2: a generation to take if there is none; process, number of this step, number of its first step that got no
-- answer (0: all did); how many lanes, how long a lease; then for each one done: lane, nonce, rest (or empty), how many
-- are finished, their ids.
-- Answers: generation, now, first timer (or -1), whether accounts are still in line, then lane, id, due time and
-- nonce of each claim.
local TIMERS_A_STEP = 256

local generation = known[1]
if not generation then
  generation = ARGV[2]
  call('HSET', META, 'gen', generation)
end

-- An answer that never arrived may have handed out lanes: nobody works on them.
local handed = prefix .. 'w:' .. ARGV[3]
local number, unanswered = tonumber(ARGV[4]), tonumber(ARGV[5])
if unanswered > 0 then
  local kept = call('HGETALL', handed)
  local lanes, by = {}, nil
  for i = 1, #kept, 2 do
    if kept[i] == '' then by = tonumber(kept[i + 1]) else lanes[kept[i]] = kept[i + 1] end
  end
  if by and by >= unanswered then
    for lane, lease in pairs(lanes) do
      if call('HGET', LEASES, lane) == lease then
        call('HDEL', LEASES, lane)
        rank_lane(lane)
      end
    end
  end
end

local at = 8
while ARGV[at] do
  local lane, lease, rest, finished = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  at = at + 4
  -- Another nonce: it was reaped meanwhile, and is perhaps another worker's by now.
  if call('HGET', LEASES, lane) == lease then
    call('HDEL', LEASES, lane)
    for i = at, at + finished - 1 do hints = hints - call('ZREM', prefix .. 'l:' .. lane, ARGV[i]) end
    if rest then
      local gated = tonumber(call('HGET', RESTS, lane) or 0)
      if rest > gated then call('HSET', RESTS, lane, rest) end
    end
    rank_lane(lane)
  end
  at = at + finished
end

for _, timer in ipairs(call('ZRANGEBYSCORE', TIMERS, '-inf', now, 'LIMIT', 0, TIMERS_A_STEP)) do
  call('ZREM', TIMERS, timer)
  local name = string.sub(timer, 2)
  if string.sub(timer, 1, 1) == 'a' then
    touch(name)
  else
    call('HDEL', LEASES, name)
    rank_lane(name)
  end
end
rank_accounts()

local until_ = math.min(now + tonumber(ARGV[7]), LAST)
local answer = {}
local wanted, tries = tonumber(ARGV[6]), 2 * tonumber(ARGV[6])
while wanted > 0 and tries > 0 do
  tries = tries - 1
  local account = call('ZRANGE', LINE, 0, 0)[1]
  if not account then break end
  local ready = prefix .. 'a:' .. account
  local lane = call('ZRANGE', ready, 0, 0)[1]
  local _, id, due
  if lane then
    _, id, due = head(lane)
    call('ZREM', ready, lane)
  end
  call('ZREM', LINE, account)
  -- A server that evicts keys may have dropped the lane or the list of lanes.
  if id then
    nonce = math.max(nonce + 1, now)
    call('HSET', LEASES, lane, nonce)
    call('ZADD', TIMERS, until_, 'l' .. lane)
    local pace = pace_of(account)
    if pace.interval > 0 then
      pace.arrival = math.min(math.max(pace.arrival or 0, now) + pace.interval, LAST)
      call('HSET', prefix .. 'c:' .. account, 't', pace.arrival)
    end
    wanted = wanted - 1
    answer[#answer + 1] = lane
    answer[#answer + 1] = id
    answer[#answer + 1] = due
    answer[#answer + 1] = nonce
  end
  rank_account(account)
end

if #answer > 0 then
  local kept = { '', number }
  for i = 1, #answer, 4 do
    kept[#kept + 1] = answer[i]
    kept[#kept + 1] = answer[i + 3]
  end
  call('DEL', handed)
  call('HSET', handed, unpack(kept))
  -- As long as the leases in it at most.
  call('PEXPIRE', handed, math.ceil(tonumber(ARGV[7]) / 1000) + 1)
end
remember()
return { generation, now, first_timer() or -1, call('EXISTS', LINE), answer }
