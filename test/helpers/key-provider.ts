import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** Whoever publishes the keys that tokens are signed with, on a port of its own. */
export interface KeyProvider {
  readonly url: string
  /** How often it was asked. */
  readonly requests: () => number
  /** What it answers from now on. */
  serve (keys: readonly object[]): void
  answer (answer: (response: ServerResponse) => void): void
}

export async function startKeyProvider (t: Test, keys: readonly object[]): Promise<KeyProvider> {
  let requests = 0
  let respond: (response: ServerResponse) => void
  const serve = (keys: readonly object[]): void => {
    respond = response => { response.writeHead(200, { 'content-type': 'application/jwk-set+json' }).end(JSON.stringify({ keys })) }
  }
  serve(keys)
  const server = createServer((_request, response) => {
    requests++
    respond(response)
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    requests: () => requests,
    serve,
    answer: answer => { respond = answer }
  }
}
