import fc from 'fast-check'
import { constants, createGunzip, gunzipSync, inflateRawSync } from 'node:zlib'
import { test } from 'tap'
import { acceptsGzip } from '../../src/transports/accept-encoding.js'
import { deflateBlock } from '../../src/transports/deflate.js'
import { type ContentCoding, gzip, identity } from '../../src/transports/sse/content-coding.js'
import { agreedExtension } from '../../src/transports/ws/extensions.js'
import { native } from '../helpers/native.js'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300)
/** How browsers and fetch read a stream that has not ended. */
const UNENDED = { finishFlush: constants.Z_SYNC_FLUSH }

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 20_000, size: 'max' }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 4500, size: 'max' }), fc.nat(20))
    .map(([part, count]) => Buffer.concat(Array<Uint8Array>(count).fill(part)))
)

test('deflates blocks that inflate to the input, alone and one after another', async t => {
  fc.assert(fc.property(fc.array(bytes, { maxLength: 6 }), parts => {
    const blocks = parts.map(deflateBlock)
    for (const [index, block] of blocks.entries()) {
      if (!inflateRawSync(block, { ...UNENDED, windowBits: 12 }).equals(parts[index]!)) {
        throw new Error(`block ${index}`)
      }
      if (!block.subarray(-4).equals(Buffer.from([0, 0, 0xff, 0xff]))) throw new Error('no sync flush')
    }
    return inflateRawSync(Buffer.concat(blocks), UNENDED).equals(Buffer.concat(parts))
  }), { numRuns })
  t.pass(`${numRuns} lists of blocks`)
})

type Part = readonly [kind: 'encode' | 'cursor' | 'messages', text: string]
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 1000, size: 'max' }),
  fc.nat(80_000).map(length => '한a'.repeat(length / 4))
)
const part = fc.tuple(fc.constantFrom('encode' as const, 'cursor' as const, 'messages' as const), text)
const write: Readonly<Record<Part[0], (coding: ContentCoding, text: string) => Buffer>> = {
  encode: (coding, text) => coding.encode(text),
  cursor: ({ events }, text) => native.on(events).cursor(text),
  messages: ({ events }, text) => native.on(events).join(text === '' ? [] : [text, text])
}
const written = (coding: ContentCoding, parts: readonly Part[]): Buffer =>
  Buffer.concat([coding.head, ...parts.map(([kind, text]) => write[kind](coding, text))])

test('compresses an event stream into the same stream, whatever its parts', async t => {
  fc.assert(fc.property(fc.array(part, { maxLength: 12 }), parts =>
    gunzipSync(written(gzip, parts), UNENDED).equals(written(identity, parts))), { numRuns })
  t.pass(`${numRuns} streams`)
})

test('lets each part be read when it has come, and not only with the next', async t => {
  const gunzip = createGunzip()
  let read = ''
  gunzip.setEncoding('utf8').on('data', (text: string) => { read += text })
  const flushed = async (bytes: Buffer): Promise<void> => {
    await new Promise(resolve => {
      gunzip.write(bytes, resolve)
    })
  }
  await flushed(gzip.head)
  let expected = ''
  for (const size of [1, 10, 383, 384, 1000, 20_000, 100_000, 3]) {
    const text = 'data: x\n'.repeat(size).slice(0, size)
    await flushed(gzip.encode(text))
    t.ok(read === (expected += text), `${size} bytes`)
  }
})

test('RFC 7692, 7.1: agrees to exactly the offers that it can serve', async t => {
  const agreed = (offer: string | undefined): string | undefined =>
    agreedExtension(offer)?.replace('permessage-deflate', 'pmd')
  const table: ReadonlyArray<readonly [offer: string | undefined, answer: string | undefined]> = [
    [undefined, undefined],
    ['', undefined],
    ['x-webkit-deflate-frame', undefined],
    ['permessage-deflate', 'pmd'],
    // Chromium and Firefox; Safari; ws.
    ['permessage-deflate; client_max_window_bits', 'pmd; client_max_window_bits=12'],
    // A client with little memory.
    ['permessage-deflate; server_max_window_bits=12; client_max_window_bits=12', 'pmd; server_max_window_bits=12; client_max_window_bits=12'],
    ['permessage-deflate; server_no_context_takeover; client_no_context_takeover', 'pmd'],
    ['permessage-deflate;server_max_window_bits="15"', 'pmd; server_max_window_bits=12'],
    ['permessage-deflate; client_max_window_bits=9', 'pmd'],
    ['permessage-deflate; server_max_window_bits=9', undefined],
    ['permessage-deflate; server_max_window_bits=9, permessage-deflate', 'pmd'],
    ['x-other; a=1, permessage-deflate; client_max_window_bits', 'pmd; client_max_window_bits=12'],
    ['permessage-deflate; server_max_window_bits', undefined],
    ['permessage-deflate; server_max_window_bits=16', undefined],
    ['permessage-deflate; server_max_window_bits=012', undefined],
    ['permessage-deflate; client_max_window_bits=7', undefined],
    ['permessage-deflate; client_max_window_bits=12; client_max_window_bits=12', undefined],
    ['permessage-deflate; server_no_context_takeover=1', undefined],
    ['permessage-deflate; other', undefined],
    ['permessage-deflate;', undefined]
  ]
  for (const [offer, answer] of table) t.equal(agreed(offer), answer, offer ?? 'no offer')
})

test('reads from Accept-Encoding whether a client takes gzip', async t => {
  const table: ReadonlyArray<readonly [header: string | undefined, accepts: boolean]> = [
    [undefined, false],
    ['', false],
    ['identity', false],
    ['br', false],
    ['*', false],
    ['gzipped', false],
    ['gzip', true],
    ['GZIP', true],
    ['x-gzip', true],
    ['gzip, deflate, br, zstd', true],
    ['br;q=1.0, gzip;q=0.8, *;q=0.1', true],
    ['deflate,gzip ; q=1', true],
    ['gzip;q=0', false],
    ['gzip;q=0.000', false],
    ['identity, gzip; q=0', false],
    ['gzip;x=1;q=0', false],
    ['gzip;q=0.001', true],
    ['gzip;q=2', false]
  ]
  for (const [header, accepts] of table) t.equal(acceptsGzip(header), accepts, header ?? 'none')
})
