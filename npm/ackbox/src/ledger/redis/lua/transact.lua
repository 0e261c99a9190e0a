-- Settlements and enqueues over queues of a box: all of them, or nothing.
--
-- KEYS    {tag}:box, then {tag}:q:NAME of each queue
-- ARGV    process, request, time; then for each item its queue (number of the key after the box, from 1) and kind, as `1s` or `2e`, and
--         with s a settlement (settling.lua), with e a key and a sheet
-- Result  { 'k', codes }: done, or { 'x', codes }: nothing was; the codes are those of settling.lua and accepting.lua, one for each item
-- Cost    O(items), O(log n) each
--#include call queue sheet track ends history settling accepting
local known_answer, refusal = earlier_answer()
if refusal then return refusal end
if known_answer then return known_answer end
local queues, rooms, founds = {}, {}, {}
for at = 2, #KEYS do
  local Q = queue_of(KEYS[at])
  if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
  watch_ids(Q)
  queues[at - 1], rooms[at - 1], founds[at - 1] = Q, { count = 0, size = 0 }, {}
end
-- Judged first, all of it.
local items, codes, refused, settled = {}, {}, false, {}
local at = 4
while at <= #ARGV do
  local which, kind = tonumber(sub(ARGV[at], 1, -2)), sub(ARGV[at], -1)
  local Q = queues[which]
  local item, code = { Q = Q, kind = kind }, nil
  if kind == 's' then
    local one = settlement(ARGV[at + 1])
    item.one, item.it = one, held(one.key, one.token, call('HGET', Q._t, one.key) or nil)
    if settled[which .. one.key] then item.it = nil end
    settled[which .. one.key] = true
    code = item.it and 'k' or 'L'
    if code == 'L' then refused = true end
    at = at + 2
  else
    local new = item_of(ARGV[at + 1], ARGV[at + 2])
    item.new = new
    local found = founds[which]
    if (new.flags >= KNOWN or has(new.flags, ID)) and not found[new.key] then
      for key, what in pairs(known(Q, { new.key })) do found[key] = what end
    end
    local judged, no = judge(Q, { new }, found, rooms[which])
    code = judged[1]
    if no then refused = true end
    if code == 'a' or code == 's' then found[new.key] = { print = new.print, state = code == 's' and 'S' or 'R' } end
    at = at + 3
  end
  item.code = code
  items[#items + 1], codes[#codes + 1] = item, code
end
if refused then
  for _, Q in ipairs(queues) do flush(Q) end
  return pass({ 'x', table.concat(codes) })
end
for _, item in ipairs(items) do
  local Q = item.Q
  if item.kind == 's' then
    settle(Q, item.one, item.it)
  elseif item.code == 'a' or item.code == 's' then
    accept(Q, item.new)
  else
    count(Q, 'duplicates')
  end
end
for _, Q in ipairs(queues) do flush(Q) end
return keep({ 'k', table.concat(codes) })
