import { test } from 'tap'
import { parseKernelQueues } from '../../src/transports/sse/kernel-queues.js'

test('reads the connections with unacknowledged bytes from /proc/net/tcp and tcp6', async t => {
  const header =
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
  const rows = [
    '   0: 0100007F:1F90 0100007F:D1E2 01 00000A00:00000000 02:000A 00000000     0        0 1 2 0 20 4 30 10 -1',
    '   1: 0100007F:1F90 0100007F:D1E3 01 00000000:00000000 00:0000 00000000     0        0 1 2 0 20 4 30 10 -1',
    '   2: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000200007F:0050 01 00000001:00000000 00:0 0 0 0 1',
    '   3: 00000000000000000000000001000000:1F90 B80D0120000000000000000001000000:01BB 01 0000000F:00000000 00:0 0 0 0 1'
  ]
  t.same([...parseKernelQueues([header, ...rows, ''].join('\n'))], [
    ['8080 53730 127.0.0.1', 2560],
    ['8080 80 127.0.0.2', 1],
    ['8080 443 2001:db8::1', 15]
  ])
  t.same([...parseKernelQueues('')], [])
})
