import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import type { Config } from '../../src/config.js'
import type { Broker } from '../../src/index.js'
import { RemoteBroker } from '../helpers/remote-broker.js'
import { ROOT } from '../helpers/root.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** What users must not notice a difference between: whoever fills their orders. */

type Levels = Array<[price: string, size: string]>

/** Somebody who fills orders, and servers that trade with it. */
export interface FillingPlace {
  /** Starts a server. */
  start (t: Test, config?: Partial<Config>): Promise<TestServer>
  /** Displays what can be traded now. */
  show (server: TestServer, symbol: string, bids: Levels, asks: Levels): Promise<void>
}

export interface BrokerBackend {
  readonly name: string
  /** Whether it is elsewhere, so that it can be away. */
  readonly isRemote: boolean
  open (t: Test): Promise<FillingPlace>
}

interface Example { readonly HttpBroker: new (url: string) => Broker }

/** Starts servers whose orders a broker elsewhere fills. */
export async function remotePlace (t: Test): Promise<FillingPlace & { readonly remote: RemoteBroker }> {
  const { HttpBroker } = await import(pathToFileURL(join(ROOT, 'examples/broker/http-broker.js')).href) as Example
  const remote = await RemoteBroker.start()
  t.teardown(() => remote.goAway())
  return {
    remote,
    start: (inner, config) => startServer(inner, config, { broker: new HttpBroker(remote.url) }),
    show: async (_server, symbol, bids, asks) => { remote.show(symbol, bids, asks) }
  }
}

export const brokerBackends: readonly BrokerBackend[] = [
  {
    name: 'the paper exchange',
    isRemote: false,
    open: async () => ({
      start: startServer,
      show: (server, symbol, bids, asks) =>
        publish(server.app, 'book', symbol, { symbol, bids, asks }, { snapshot: true })
    })
  },
  { name: 'a broker elsewhere', isRemote: true, open: remotePlace }
]
