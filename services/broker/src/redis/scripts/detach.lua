-- Gives a claim up; the session can be resumed for a while. Publishes that the peer is detached.
-- KEYS: 1 record, 2 offline queue, 3 ends of sessions
-- ARGV: 1 session, 2 node, 3 fence ('0': any), 4 last event number (or ''), 5 unacknowledged tail,
--       6 resume window in ms, then sender and accepted ranges, alternating
-- Returns 1 if the claim stood, else 0.
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'v', 'b')
if old[1] ~= ARGV[1] or old[2] ~= ARGV[2] or (ARGV[3] ~= '0' and old[3] ~= ARGV[3]) then return 0 end
-- Writes that need no memory come first: after them, the others are written into a full Redis, too.
redis.call('PEXPIRE', KEYS[1], ARGV[6])
if old[4] then redis.call('PEXPIRE', KEYS[2], ARGV[6]) end
if ARGV[4] == '' then
  redis.call('HSET', KEYS[1], 'state', 'detached')
else
  redis.call('HSET', KEYS[1], 'state', 'detached', 'q', ARGV[4], 't', ARGV[5])
end
for i = 7, #ARGV, 2 do
  local field, ranges = 'm:' .. ARGV[i], ARGV[i + 1]
  -- Messages stored meanwhile have ranges in the record; those behind the session's own stay.
  local last, stored = string.sub(ranges, -20), redis.call('HGET', KEYS[1], field)
  if stored then
    for from, to in string.gmatch(stored, '(%d+)-(%d+)') do
      if from > last then ranges = ranges .. ',' .. from .. '-' .. to end
    end
  end
  redis.call('HSET', KEYS[1], field, ranges)
end
publish_detached(old[1], old[3], ARGV[6])
return 1
