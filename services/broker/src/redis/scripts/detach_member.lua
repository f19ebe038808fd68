-- Notes that a member of this run has no connection.
-- KEYS: 1 room, 2 its channel
-- ARGV: 1 peer, 2 incarnation, 3 session
-- Returns 1 if this run had the member online, else 0.
local old = redis.call('HMGET', KEYS[1], ARGV[1], '#version')
if not old[1] then return 0 end
local state, run, session, info = string.match(old[1], '^(%a) (%S+) (%S+) %d+ (.*)$')
if state ~= 'o' or run ~= ARGV[2] or session ~= ARGV[3] then return 0 end
local version = string.format('%.0f', old[2] + 1)
redis.call('HSET', KEYS[1], '#version', version, ARGV[1], table.concat({'d', run, session, version, info}, ' '))
redis.call('PUBLISH', KEYS[2], table.concat({'+', old[2], version, ARGV[1], run, session, 'd', info}, ' '))
return 1
