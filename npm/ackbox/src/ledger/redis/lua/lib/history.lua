-- How the attempts of a message ended: at most 32 entries, the last ones.
--
-- An entry is its length 4, time 6, attempt 2, reason 1, then the error as the client wrote it (JSON).
local ENTRIES = 32
local REASONS = { ['exhausted'] = 1, ['timeout'] = 2, ['lease-expired'] = 3, ['owner-died'] = 4, ['permanent'] = 5,
  ['expired'] = 6, ['invalid'] = 7, ['corrupt'] = 8, ['circuit-open'] = 9, ['refused'] = 10 }

local function note(Q, key, attempt, reason, failure)
  local entries = call('HGET', Q._h, key) or ''
  local count, at = 0, 1
  while at <= #entries do
    count = count + 1
    at = at + 13 + unpack_from('>I4', entries, at)
  end
  if count >= ENTRIES then entries = sub(entries, 14 + unpack_from('>I4', entries)) end
  later(Q, 'HSET', 'h', key, entries .. pack('>I4I6HB', #failure, NOW, attempt, reason) .. failure)
end

-- A message becomes a dead letter. Its group goes on, unless the queue holds it back.
local function bury(Q, key, it, reason)
  it.state, it.reason = DEAD, reason
  later(Q, 'HSET', 't', key, track(it))
  later(Q, 'ZADD', 'x', string.format('%.0f', NOW), key)
  count(Q, 'dead')
  if Q.watched > 0 and call('SREM', Q._f, key) == 1 then
    add(Q, 'watched', -1)
    call('PUBLISH', BOX .. 'wake', 'end ' .. key .. Q.name)
  end
  if it.group and Q.groupBlocks == 0 then next_of_group(Q, it.group) end
end
