-- What is in the shard: hints, leased lanes, accounts in line.
return { hints, call('HLEN', LEASES), call('ZCARD', LINE) }
