-- Declares a queue: creates it, or changes the options that are named.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; then names and values of options (numbers)
-- Result  names of the options that had another value before
-- Cost    O(options)
--#include call
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
-- A key of another kind under this prefix would stop a transition half-way: scripts are not rolled back.
local name = sub(KEYS[2], #BOX + 3)
local kinds = { m = 'hash', t = 'hash', w = 'list', r = 'zset', d = 'zset', l = 'zset', x = 'zset', h = 'hash', i = 'hash', e = 'list',
  o = 'hash', p = 'zset', n = 'hash', f = 'set', q = 'hash' }
for letter, kind in pairs(kinds) do
  local key = BOX .. letter .. ':' .. name
  local found = call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('ACKBOX_WRONGTYPE expected ' .. key .. ' to be a ' .. kind .. ', found a ' .. found)
  end
end
redis.call('SADD', BOX .. 'queues', sub(KEYS[2], #BOX + 3))
local new = call('HSETNX', KEYS[2], 'next', 0) == 1
local changed = {}
for at = 4, #ARGV, 2 do
  local before = call('HGET', KEYS[2], ARGV[at])
  if sub(ARGV[at], 1, 1) == '?' then
    call('HSETNX', KEYS[2], sub(ARGV[at], 2), ARGV[at + 1])
  elseif before ~= ARGV[at + 1] then
    call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
    if not new and (before or '0') ~= ARGV[at + 1] then changed[#changed + 1] = ARGV[at] end
  end
end
return keep(changed)
