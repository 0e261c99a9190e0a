-- Claims up to n messages of a queue: first what is due and what was parked too long comes back, leases that ran out
-- end their attempts, and then the first by priority and order are leased.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; n; lease in ms; bytes at most (one message is always given); mode: 1 at most once, 2 the caller
--         waits if there is less; then, with a rate over all workers: its name, limit, per ms
-- Result  { '0' or 'paused', when there may be more (0: nobody knows), then for each message its key, a head (token 8, attempts 2,
--         deaths 2, first claim 6, steps 1) and the message as it is stored }
-- Cost    O(n + what became due or ran out), O(log n) each but for plain messages: those are O(1)
-- Lost    the answer kept is only which messages were leased; asked again, those that still are come with their bodies. At most
--         once there are none by then, so the answer is kept whole
--#include call queue sheet track ends history parking claiming
local kept, refusal = earlier_answer()
if refusal then return refusal end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local want, lease, most, mode = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local once, waits = mode % 2 == 1, mode >= 2
if kept then return (once or kept[1] == '0' or kept[1] == 'paused') and kept or claimed_before(Q, kept) end

promote(Q)
end_leases(Q)
unpark_due(Q)

local reply, leased, bytes, again = { Q.paused == 1 and 'paused' or '0', '0' }, {}, 0, nil
local allowed, rate_at, rate = want, nil, nil
if ARGV[8] and ARGV[8] ~= '' then allowed, rate_at, rate = permits(Q, ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]), want) end
if Q.paused == 1 then allowed = 0 end

-- Of the box, so that no claim of any of its queues has that of another.
local token = math.max(tonumber(call('HGET', KEYS[1], 'token') or 0) + 1, MICROS)
for _ = 1, ROUNDS do
  if #leased >= allowed or again then break end
  local keys, orders = candidates(Q, math.min(allowed - #leased, AT_ONCE))
  if #keys == 0 then break end
  flush(Q)
  local messages, tracks = call('HMGET', Q._m, unpack(keys)), call('HMGET', Q._t, unpack(keys))
  for at, key in ipairs(keys) do
    local message = messages[at]
    if message and orders[at] and (tracks[at] or unpack_from('>I6', message) ~= orders[at]) then message = nil end
    local sheet_of = message and (not tracks[at] or Q.parked > 0) and stored(message)
    local it = message and (tracks[at] and tracked(tracks[at]) or first_track(sheet_of))
    if not message then
      -- removed while it waited; its id may have been taken since, by a message with a place of its own
    elseif it.expires and it.expires <= NOW then
      count(Q, 'expired')
      bury(Q, key, it, REASONS['expired'])
    elseif Q.parked > 0 and sheet_of.destination and call('ZSCORE', Q._p, sheet_of.destination) then
      call('ZADD', key_within(Q, 'k', sheet_of.destination), string.format('%.0f', rank(it.priority, it.order)), key)
    elseif again or #leased > 0 and bytes + #message > most then
      again = true
      later(Q, 'ZADD', 'r', string.format('%.0f', rank(it.priority, it.order)), key)
    else
      bytes = bytes + #message
      leased[#leased + 1] = key
      it.token, it.process, it.til, it.attempts, it.state = token, PROCESS, NOW + lease, it.attempts + 1, LEASED
      if it.first == 0 then it.first = NOW end
      token = token + 1
      reply[#reply + 1] = key
      reply[#reply + 1] = head(it)
      reply[#reply + 1] = message
      if once then
        hand_over(Q, key, it)
      else
        later(Q, 'HSET', 't', key, track(it))
        later(Q, 'ZADD', 'l', string.format('%.0f', it.til), key)
      end
    end
  end
end
if #leased > 0 then
  call('HSET', KEYS[1], 'token', string.format('%.0f', token - 1))
  count(Q, 'delivered', #leased)
  if rate then call('HSET', Q._n, ARGV[8], string.format('%.0f', rate(#leased))) end
end
if #leased < want then
  flush(Q)
  local soonest = again and NOW or next_time(Q, #leased >= allowed and rate_at)
  if waits then
    set(Q, 'waiting', math.max(Q.waiting, soonest == 0 and NEVER or soonest))
    flush(Q)
  end
  reply[2] = string.format('%.0f', soonest)
else
  flush(Q)
end
if #leased == 0 then return pass(reply) end
keep(once and reply or leased)
return reply
