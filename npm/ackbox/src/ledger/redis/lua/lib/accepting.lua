-- Accepting messages: limits, identity, and where they wait.
--
-- What became of an item, one character: a accepted and ready, s accepted and scheduled;
-- duplicate of one that is R ready, S scheduled, L leased, C completed, D dead, X cancelled;
-- refused: c its id has another body, f the queue is full, u no room for its id, x another item of its unit was refused.
local ACCEPTED = { a = true, s = true, R = true, S = true, L = true, C = true, D = true, X = true }
local ENDED = { 'C', 'D', 'X' }

-- The state of a message that is not finished.
local function state_of(Q, key, message, text)
  if text then
    local it = tracked(text)
    if it.state == LEASED then return 'L' end
    if it.state == DEAD then return 'D' end
    local due = call('ZSCORE', Q._d, delayed(key, it.priority, it.order))
    return due and tonumber(due) > NOW and 'S' or 'R'
  end
  local it = stored(message)
  return it.due and it.due > NOW and 'S' or 'R'
end

-- What is known of the keys that callers gave.
local function known(Q, keys)
  local found = {}
  for from = 1, #keys, AT_ONCE do
    local til = math.min(from + AT_ONCE - 1, #keys)
    local messages = call('HMGET', Q._m, unpack(keys, from, til))
    local ends = call('HMGET', Q._i, unpack(keys, from, til))
    for at = from, til do
      local message, ended = messages[at - from + 1], ends[at - from + 1]
      if message then
        found[keys[at]] = { print = stored(message).print, state = state_of(Q, keys[at], message, call('HGET', Q._t, keys[at])) }
      elseif ended then
        local state, time, print = unpack_from('>BI6c8', ended)
        if print == NO_PRINT or time + Q.windowMs > NOW then found[keys[at]] = { print = print, state = ENDED[state] } end
      end
    end
  end
  return found
end

-- Checks the items of one unit without changing anything: all of it is accepted, or nothing. `found`: what is
-- known of their keys; `room`: what was judged before and is not in the counters yet.
local function judge(Q, items, found, room)
  local codes, refused, here = {}, false, {}
  local count, size = 0, 0
  for at, item in ipairs(items) do
    local code
    local same = found[item.key] or here[item.key]
    if same then
      code = (same.print == item.print or same.print == NO_PRINT or item.print == NO_PRINT) and same.state or 'c'
    elseif Q.maxDepth > 0 and Q.depth + room.count + count + 1 > Q.maxDepth
      or Q.maxBytes > 0 and Q.bytes + room.size + size + item.size > Q.maxBytes then
      code = 'f'
    elseif has(item.flags, ID) and Q.dedupMax > 0 and not Q.dedupRoom(count + room.count) then
      code = 'u'
    else
      count, size = count + 1, size + item.size
      code = item.due and item.due > NOW and 's' or 'a'
      here[item.key] = { print = item.print, state = code == 's' and 'S' or 'R' }
    end
    codes[at] = code
    if not ACCEPTED[code] then refused = true end
  end
  if not refused then room.count, room.size = room.count + count, room.size + size end
  return codes, refused
end

-- Room in the index of ids: of all that is kept, only what ended can be forgotten to make some.
local function watch_ids(Q)
  local taken
  Q.dedupRoom = function(coming)
    if not taken then
      forget(Q, 100)
      taken = call('HLEN', Q._i)
    end
    if taken + coming < Q.dedupMax then return true end
    if Q.dedupShortens == 0 then return false end
    local before = taken
    forget(Q, 100, true)
    taken = call('HLEN', Q._i)
    count(Q, 'shortened', before - taken)
    return taken + coming < Q.dedupMax
  end
end

-- Accepts what was judged to be new.
local function accept(Q, item)
  add(Q, 'next', 1)
  add(Q, 'depth', 1)
  add(Q, 'bytes', item.size)
  count(Q, 'enqueued')
  later(Q, 'HSET', 'm', item.key, pack('>I6I6', Q.next, NOW) .. item.packed)
  if item.group then
    if call('HSETNX', Q._o, item.group, item.key) == 0 then
      call('RPUSH', key_within(Q, 'g', item.group), entry(item.key, Q.next))
      return
    end
  elseif item.priority == 0 and not (item.due and item.due > NOW) then
    later(Q, 'RPUSH', 'w', entry(item.key, Q.next))
    return wake(Q)
  end
  place(Q, item.key, item.priority, Q.next, item.due)
end

-- Reads an item as it comes: key and sheet.
local function item_of(key, packed)
  local item = sheet(packed, 1, NOW)
  item.key, item.packed = key, packed
  return item
end
