-- Publishes texts of a node and reads those of the other nodes. A field holds its end by Redis' own clock and the text; fields
-- past their end are removed here.
-- KEYS: hashes of texts, a field for each node
-- ARGV: 1 node, 2 time to live in ms, 3 most nodes, 4 '1' to read ('0': only to publish again), then a text for each key
--       ('': none)
-- Returns the texts of the other nodes for each key.
local time = redis.call('TIME')
local now, most = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[3])
local answer = {}
for k, key in ipairs(KEYS) do
  local own, others, known = ARGV[4 + k], {}, 0
  if ARGV[4] == '1' then
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
      if all[i] ~= ARGV[1] then
        local ends, text = string.match(all[i + 1], '^(%d+) (.*)$')
        if not ends or tonumber(ends) <= now then
          redis.call('HDEL', key, all[i])
        else
          known = known + 1
          if known < most then others[known] = text end
        end
      end
    end
  elseif not redis.call('HGET', key, ARGV[1]) then
    known = redis.call('HLEN', key)
  end
  if own == '' or known >= most then
    redis.call('HDEL', key, ARGV[1])
  else
    redis.call('HSET', key, ARGV[1], string.format('%.0f %s', now + ARGV[2], own))
    redis.call('PEXPIRE', key, ARGV[2])
  end
  answer[k] = others
end
return answer
