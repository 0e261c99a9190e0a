-- What is known of messages.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    time (empty: the server's); 1: their history too; then keys
-- Result  for each { state, message, track, history, end }: R ready, S scheduled, L leased, C completed, D dead, X cancelled;
--         empty text for what there is none of, and as state if nothing is known
-- Cost    O(keys)
--#include look
local unpack_from = struct.unpack
local clock = redis.call('TIME')
local now = tonumber(ARGV[1]) or clock[1] * 1000 + clock[2] / 1000
local pack = struct.pack
local states = { [0] = 'R', 'L', 'D' }
local ended = { 'C', 'D', 'X' }
local reply = {}
for at = 3, #ARGV do
  local key = ARGV[at]
  local message, text = call('HGET', key_of('m'), key), call('HGET', key_of('t'), key)
  local entry = { '', message or '', text or '', '', '' }
  if message then
    entry[1] = text and states[byte(text, 37)] or 'R'
    if entry[1] == 'R' then
      -- A message that was redriven has another order than it was accepted with: its track tells it.
      local order = text and unpack_from('>I6', text, 44) or unpack_from('>I6', message)
      local member = key .. pack('>BI6', byte(message, 14), order)
      local due = call('ZSCORE', key_of('d'), member)
      if due then
        entry[1] = tonumber(due) > now and 'S' or 'R'
        entry[5] = due
      end
    end
    if ARGV[2] == '1' then entry[4] = call('HGET', key_of('h'), key) or '' end
  else
    local kept = call('HGET', key_of('i'), key)
    if kept then
      entry[1], entry[5] = ended[byte(kept)], kept
    end
  end
  reply[#reply + 1] = entry
end
return reply
