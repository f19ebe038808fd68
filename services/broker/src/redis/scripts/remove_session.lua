-- Ends a session for the backend if no living node has its connection; nothing stays. Publishes that the peer is offline.
-- KEYS: 1 record, 2 offline queue, 3 ends of sessions
-- ARGV: 1 session, 2 the incarnation that holds the lease of its node ('': none)
-- Returns false if the record stands, else its notes of rooms: field and value, alternating.
local old = redis.call('HMGET', KEYS[1], 'session', 'state', 'inc', 'v')
if old[1] ~= ARGV[1] or (old[2] == 'attached' and old[3] == ARGV[2]) then return false end
local record, notes = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #record, 2 do
  if string.sub(record[i], 1, 2) == 'r:' then
    notes[#notes + 1] = record[i]
    notes[#notes + 1] = record[i + 1]
  end
end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], name_of(old[1], old[4]))
publish_presence(old[4], 'offline')
return notes
