-- Wakes one of those who wait, now or as soon as somebody waits. KEYS[1]: the list they wait at; it holds one element.
if redis.call('LLEN', KEYS[1]) == 0 then redis.call('RPUSH', KEYS[1], '1') end
return 1
