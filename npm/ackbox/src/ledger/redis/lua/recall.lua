-- What steps of a message have recorded.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    key
-- Result  names and results in turn
-- Cost    O(steps)
--#include look
return redis.call('HGETALL', key_within(NAME, 's', ARGV[1]))
