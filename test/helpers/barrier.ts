import { connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'
import { listen } from './network.js'

/**
 * What a barrier does to new connections of a kind:
 * - `open`: it lets them through;
 * - `refuse`: it answers as a proxy that knows no WebSocket;
 * - `bad-gateway`: it answers with 502 and a page;
 * - `hang`: it takes them, and never answers.
 */
export type Passage = 'open' | 'refuse' | 'bad-gateway' | 'hang'

/** A proxy that looks at the first line of each connection. */
export interface Barrier {
  readonly origin: string
  /** Connections that were opened, by kind. */
  readonly opened: { upgrades: number, streams: number, requests: number }
  upgrades: Passage
  streams: Passage
  requests: Passage
  /** From now on, no byte passes over the open connections, and nobody is told. */
  mute: () => void
  cut: () => void
}

const PAGE = '<html>no</html>'
const answers: Readonly<Record<'refuse' | 'bad-gateway', string>> = {
  refuse: `HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: ${PAGE.length}\r\nConnection: close\r\n\r\n${PAGE}`,
  'bad-gateway': `HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: ${PAGE.length}\r\nConnection: close\r\n\r\n${PAGE}`
}

/** Opens a barrier before a server, until the test ends. */
export async function openBarrier (t: Test, port: number): Promise<Barrier> {
  const pairs = new Set<{ readonly near: Socket, readonly far: Socket }>()
  const opened = { upgrades: 0, streams: 0, requests: 0 }
  const passages: Record<keyof typeof opened, Passage> = { upgrades: 'open', streams: 'open', requests: 'open' }
  const server = createServer(near => {
    near.on('error', () => {})
    near.once('data', first => {
      const head = String(first)
      const kind = /^upgrade: websocket/im.test(head) ? 'upgrades' : /text\/event-stream/i.test(head) ? 'streams' : 'requests'
      opened[kind]++
      const passage = passages[kind]
      if (passage === 'hang') return
      if (passage !== 'open') {
        near.end(answers[passage])
        return
      }
      const far = connect(port, '127.0.0.1')
      const pair = { near, far }
      pairs.add(pair)
      for (const [socket, other] of [[near, far], [far, near]] as const) {
        socket.on('error', () => {})
        socket.on('close', () => {
          pairs.delete(pair)
          other.destroy()
        })
      }
      far.write(first)
      near.pipe(far)
      far.pipe(near)
    })
  })
  const near = await listen(t, server)
  t.teardown(() => { for (const { far } of pairs) far.destroy() })
  return {
    origin: `http://127.0.0.1:${near}`,
    opened,
    get upgrades () { return passages.upgrades },
    set upgrades (passage) { passages.upgrades = passage },
    get streams () { return passages.streams },
    set streams (passage) { passages.streams = passage },
    get requests () { return passages.requests },
    set requests (passage) { passages.requests = passage },
    mute () {
      for (const { near, far } of pairs) {
        near.unpipe(far)
        far.unpipe(near)
        near.resume()
        far.resume()
      }
    },
    cut () {
      for (const { near } of pairs) near.destroy()
    }
  }
}
