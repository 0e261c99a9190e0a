-- Accepts messages of a numbered producer for one queue: each sequence once, for ever.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; producer; epoch; then sequence, key and sheet of each
-- Result  one character for each (accepting.lua), or: e a newer handle of this producer was opened, o more than 1,024 ahead,
--         t the sequence was taken before
-- Cost    O(items · 1,024)
--#include call queue sheet track ends accepting producing
local known_answer, refusal = earlier_answer()
if refusal then return refusal end
if known_answer then return known_answer end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
watch_ids(Q)
local producer, codes = producer_of(ARGV[4]), {}
for at = 6, #ARGV, 3 do
  local sequence, code = tonumber(ARGV[at]), nil
  local taken = is_taken(producer, sequence)
  if producer.epoch ~= tonumber(ARGV[5]) then
    code = 'e'
  elseif taken == nil then
    code = 'o'
  elseif taken then
    code = 't'
    count(Q, 'duplicates')
  else
    local item = item_of(ARGV[at + 1], ARGV[at + 2])
    code = judge(Q, { item }, known(Q, { item.key }), { count = 0, size = 0 })[1]
    if code == 'a' or code == 's' then
      accept(Q, item)
      flush(Q)
    end
    if ACCEPTED[code] then take_sequence(producer, sequence) end
  end
  codes[#codes + 1] = code
end
flush(Q)
save_producer(producer)
return keep(table.concat(codes))
