-- One queue: its keys, its options and counters, and what is to be written of it.
--
-- {tag}:q:NAME  hash    options, counters, the last order (the last token is in {tag}:box)
-- {tag}:m:NAME  hash    key of a message -> the message, packed (sheet.lua)
-- {tag}:t:NAME  hash    key -> track of a message that was claimed at least once (track.lua)
-- {tag}:w:NAME  list    keys that wait, never claimed, priority 0, no group: in the order of acceptance, each with its order
--                       (6 bytes). A message that was removed leaves its entry here, which a claim passes over; the
--                       order tells it from one that came later under the same id
-- {tag}:r:NAME  zset    all other keys that may be claimed, by rank
-- {tag}:d:NAME  zset    keys that are not due (each with priority and order), by when they are
-- {tag}:l:NAME  zset    keys that are leased, by when the lease ends
-- {tag}:x:NAME  zset    dead letters, by when they died
-- {tag}:h:NAME  hash    key -> how its attempts ended (history.lua)
-- {tag}:i:NAME  hash    key -> how a message ended, for as long as its id is taken (ends.lua)
-- {tag}:e:NAME  list    what ended, in that order: what is forgotten next is first
-- {tag}:o:NAME  hash    group -> key of its head
-- {tag}:g:LENGTH:NAME:GROUP  list   members of a group behind its head, entries as in w
-- {tag}:p:NAME  zset    destinations that are parked, by until when
-- {tag}:n:NAME  hash    name of a rate -> when its next start would be due, in microseconds
-- {tag}:k:LENGTH:NAME:DESTINATION  zset   keys that are parked under it, by rank
-- {tag}:s:LENGTH:NAME:KEY  hash   steps of a message that were recorded
-- {tag}:f:NAME  set     keys whose end somebody waits for
--
-- NAME comes last or with its length before it, so no two names ever give one key.
-- A call begins with this, so it makes as little as it can: keys are made when they are used (`Q._m`), and what is only
-- counted is not read.

-- Arguments of one command: Lua's unpack has a limit of some thousands.
local AT_ONCE = 2000

local KEYS_OF = {
  __index = function(Q, field)
    if byte(field) ~= 95 then return nil end
    local key = BOX .. sub(field, 2) .. ':' .. Q.name
    Q[field] = key
    return key
  end,
}

local function queue_of(key)
  local v = call('HMGET', key, 'next', 'depth', 'bytes', 'paused', 'waiting', 'watched', 'parked', 'maxDepth', 'maxBytes',
    'windowMs', 'dedupMax', 'dedupShortens', 'groupBlocks')
  if not v[1] then return nil end
  return setmetatable({
    name = sub(key, #BOX + 3), q = key, changed = {}, counted = {}, buffers = {},
    next = tonumber(v[1]), depth = tonumber(v[2] or 0), bytes = tonumber(v[3] or 0), paused = tonumber(v[4] or 0),
    waiting = tonumber(v[5] or 0), watched = tonumber(v[6] or 0), parked = tonumber(v[7] or 0),
    maxDepth = tonumber(v[8] or 0), maxBytes = tonumber(v[9] or 0), windowMs = tonumber(v[10] or 0),
    dedupMax = tonumber(v[11] or 0), dedupShortens = tonumber(v[12] or 0), groupBlocks = tonumber(v[13] or 0),
  }, KEYS_OF)
end

-- A key of something that has a name of its own within the queue.
local function key_within(Q, letter, name)
  return BOX .. letter .. ':' .. #Q.name .. ':' .. Q.name .. ':' .. name
end

local function set(Q, field, value)
  Q[field] = value
  Q.changed[field] = true
end

local function add(Q, field, by)
  Q[field] = Q[field] + by
  Q.changed[field] = true
end

-- Counts what nobody decides by.
local function count(Q, counter, by)
  Q.counted[counter] = (Q.counted[counter] or 0) + (by or 1)
end

-- Adds arguments to a command that `flush` will give.
local function later(Q, command, letter, first, second)
  local id = command .. letter
  local list = Q.buffers[id]
  if not list then
    list = {}
    Q.buffers[id] = list
  end
  list[#list + 1] = first
  if second then list[#list + 1] = second end
end

local function send(command, key, list)
  for from = 1, #list, AT_ONCE do
    call(command, key, unpack(list, from, math.min(from + AT_ONCE - 1, #list)))
  end
end

-- Removals come first: a server without memory lets a script go on that has begun by removing.
local function flush(Q)
  local order = { 'HDELm', 'HDELt', 'ZREMl', 'ZREMd', 'ZREMx', 'HDELh', 'HDELi', 'HSETm', 'HSETt', 'HSETh', 'HSETi', 'RPUSHe', 'RPUSHw',
    'ZADDr', 'ZADDd', 'ZADDl', 'ZADDx' }
  local buffers = Q.buffers
  if next(buffers) then
    for at = 1, #order do
      local list = buffers[order[at]]
      if list then send(sub(order[at], 1, -2), Q['_' .. sub(order[at], -1)], list) end
    end
    Q.buffers = {}
  end
  local fields = {}
  for field in pairs(Q.changed) do
    fields[#fields + 1] = field
    fields[#fields + 1] = string.format('%.0f', Q[field])
  end
  Q.changed = {}
  -- Where nothing else was written, a server without memory refuses even this: then it is only not counted.
  if #fields > 0 then redis.pcall('HSET', Q.q, unpack(fields)) end
  for counter, by in pairs(Q.counted) do redis.pcall('HINCRBY', Q.q, counter, by) end
  Q.counted = {}
end

-- Wakes whoever found too little to claim, once. Each set an alarm for what will be due; `waiting` is the latest of
-- these, so what is due no sooner needs no waking.
local function wake(Q, due)
  if Q.waiting == 0 or due and due >= Q.waiting then return end
  set(Q, 'waiting', 0)
  call('PUBLISH', BOX .. 'wake', 'work ' .. Q.name)
end
