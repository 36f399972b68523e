import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Order, OrderJwk } from '@tickwire/protocol'
import { ROOT } from './root.js'

type Fields = Readonly<Record<string, unknown>>
export type KeyName = 'client' | 'server' | 'other' | 'hmac'

interface Json {
  readonly name: string
  readonly json: string
}
interface Request {
  readonly name: string
  readonly key: KeyName
  readonly action: string
  readonly message: Fields
}
interface SignedData<Data> {
  readonly name: string
  readonly key: KeyName
  readonly data: Data
}

/** What every implementation of signing is checked with; scripts/signing-vectors.js writes it. */
export interface SigningVectors {
  readonly keys: Readonly<Record<KeyName, OrderJwk>>
  readonly canonical: ReadonlyArray<Json & { readonly canonical: string }>
  readonly without_canonical: readonly Json[]
  readonly requests: ReadonlyArray<Request & { readonly signed: string }>
  readonly orders: ReadonlyArray<SignedData<Order> & { readonly signed: string }>
  readonly tampered_requests: readonly Request[]
  readonly tampered_orders: ReadonlyArray<SignedData<Fields>>
}

export const vectorsText = readFileSync(join(ROOT, 'packages/protocol/vectors/signing.json'), 'utf8')
export const vectors = JSON.parse(vectorsText) as SigningVectors
