-- Stores a message in a peer's offline queue.
-- KEYS: 1 record, 2 offline queue, 3 ends of sessions
-- ARGV: 1 sender, 2 id, 3 id before it, 4 force ('0': only if detached, '1': also if attached, '2': also if
--       attached to the dead incarnation), 5 envelope, 6 most messages, 7 most bytes, 8 resume window in ms,
--       9 dead incarnation, 10 sender's peer, 11 most messages and 12 most bytes of one sender's peer
-- Returns {'offline'}, {'attached', node, incarnation}, {'queued', time to live in ms, node}, {'delivered'},
-- {'late'}, {'gap'} or {'full'}.
-- Ids have 20 digits and are compared as text: a Lua number loses the lowest digits of a large id.
local share = 'c:' .. ARGV[10]
local r = redis.call('HMGET', KEYS[1], 'state', 'node', 'inc', 'b', 'm:' .. ARGV[1], share, 'session', 'v')
if not r[1] then return {'offline'} end
if r[1] == 'attached' and (ARGV[4] == '0' or (ARGV[4] == '2' and r[3] ~= ARGV[9])) then return {'attached', r[2], r[3]} end
local none = string.rep('0', 20)
local id, done, list, last = ARGV[2], none, '', none
local ttl = r[1] == 'attached' and tonumber(ARGV[8]) or redis.call('PTTL', KEYS[1])
if r[5] then
  done, list = string.match(r[5], '^(%d+);(.*)$')
  for from, to in string.gmatch(list, '(%d+)-(%d+)') do
    if id >= from and id <= to then
      if id <= done then return {'delivered'} end
      return {'queued', ttl, r[2]}
    end
    last = to
  end
end
if id < last then return {'late'} end
if ARGV[3] > last then return {'gap'} end
local bytes = tonumber(r[4] or '0')
local count = redis.call('LLEN', KEYS[2])
if count >= tonumber(ARGV[6]) or (count > 0 and bytes + #ARGV[5] > tonumber(ARGV[7])) then return {'full'} end
local messages, held = string.match(r[6] or '0 0', '^(%d+) (%d+)$')
if tonumber(messages) >= tonumber(ARGV[11]) then return {'full'} end
if tonumber(messages) > 0 and held + #ARGV[5] > tonumber(ARGV[12]) then return {'full'} end
redis.call('RPUSH', KEYS[2], ARGV[5])
if list ~= '' then list = list .. ',' end
redis.call('HSET', KEYS[1], share, string.format('%.0f %.0f', messages + 1, held + #ARGV[5]))
redis.call('HSET', KEYS[1], 'b', bytes + #ARGV[5], 'm:' .. ARGV[1], done .. ';' .. list .. id .. '-' .. id)
if r[1] == 'attached' and ARGV[4] == '2' then
  redis.call('HSET', KEYS[1], 'state', 'detached')
  redis.call('PEXPIRE', KEYS[1], ttl)
  publish_detached(r[7], r[8], ttl)
end
redis.call('PEXPIRE', KEYS[2], ttl)
return {'queued', ttl, r[2]}
