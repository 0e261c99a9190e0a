-- Accepts messages for one queue.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; sizes of the units, 4 bytes each (empty: each item is one); then key (16 bytes) and
--         sheet of each item. A unit is accepted as a whole or not at all; units do not depend on each other
-- Result  one character for each item (accepting.lua)
-- Cost    O(items), O(log n) each for those with a delay, a priority or a group
--#include call queue sheet track ends accepting
local known_answer, refusal = earlier_answer()
if refusal then return refusal end
if known_answer then return known_answer end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
watch_ids(Q)

local items, asked, seen = {}, {}, {}
for at = 5, #ARGV, 2 do
  local item = item_of(ARGV[at], ARGV[at + 1])
  items[#items + 1] = item
  if item.flags >= KNOWN or has(item.flags, ID) then asked[#asked + 1] = item.key end
end
local found = known(Q, asked)

local codes, room, from, accepted = {}, { count = 0, size = 0 }, 1, 0
local unit = 0
while from <= #items do
  local size = ARGV[4] == '' and 1 or unpack_from('>I4', ARGV[4], unit * 4 + 1)
  unit = unit + 1
  local part = {}
  for at = 1, size do part[at] = items[from + at - 1] end
  -- What earlier units brought is in the counters already.
  room.count, room.size = 0, 0
  local judged, refused = judge(Q, part, found, room)
  for at, item in ipairs(part) do
    local code = judged[at]
    if refused and ACCEPTED[code] then
      code = 'x'
    elseif code == 'a' or code == 's' then
      accept(Q, item)
      accepted = accepted + 1
      found[item.key] = { print = item.print, state = code == 's' and 'S' or 'R' }
    elseif not refused then
      count(Q, 'duplicates')
    end
    codes[from + at - 1] = code
  end
  from = from + size
end
flush(Q)
local reply = table.concat(codes)
if accepted == 0 then return pass(reply) end
return keep(reply)
