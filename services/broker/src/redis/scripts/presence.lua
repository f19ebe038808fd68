-- Stands before scripts that change the presence of the peer whose record is KEYS[1].

-- Publishes it to the nodes that watch the peer.
local function publish_presence(fence, state)
  redis.call('PUBLISH', (string.gsub(KEYS[1], '}:s:', '}:w:', 1)), fence .. ' ' .. state)
end

local function name_of(session, fence)
  return session .. ' ' .. fence .. ' ' .. string.match(KEYS[1], '}:s:(.*)$')
end

-- Publishes that the peer is detached, and notes in KEYS[3] when the session ends.
local function publish_detached(session, fence, window_ms)
  redis.call('ZADD', KEYS[3], now_ms() + window_ms, name_of(session, fence))
  publish_presence(fence, 'detached')
end

