import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { deflatedArrays, joinArrayFrames } from '../../src/transports/ws/array-frames.js'
import { deflatedFrames, encodeDeflatedFrames, encodeTextFrames, plainFrames } from '../../src/transports/ws/frame.js'
import { dialects, native } from '../helpers/native.js'

const batch = dialects.of('tickwire.v1.batch')

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300)

/** RFC 6455, 1.3. */
const HANDSHAKE_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** An empty text after the others: with it, nothing can be left over between two reads. */
const END = ''

/** A `ws` client at the end of a real socket: bytes go in, and its texts come out. */
class Reader {
  private constructor (private readonly socket: Duplex, private readonly client: WebSocket) {}

  /** Opens a client. @param extension that is agreed on; the client remembers no more than it says */
  static async open (t: Test, extension?: string): Promise<Reader> {
    const server = createServer()
    const upgraded = new Promise<Duplex>(resolve => {
      server.on('upgrade', (request, socket: Duplex) => {
        const accept = createHash('sha1').update(String(request.headers['sec-websocket-key']) + HANDSHAKE_GUID).digest('base64')
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${extension === undefined ? '' : `Sec-WebSocket-Extensions: ${extension}\r\n`}\r\n`)
        resolve(socket)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { perMessageDeflate: extension !== undefined })
    t.teardown(() => {
      client.terminate()
      server.close()
    })
    const [socket] = await Promise.all([upgraded, once(client, 'open')])
    return new Reader(socket, client)
  }

  /** Reads all messages of the bytes. */
  async readAll (bytes: Buffer): Promise<string[]> {
    return await this.read(Buffer.concat([bytes, encodeTextFrames([END])]), undefined)
  }

  /**
   * Reads the messages of bytes that are written in pieces, cut at `cuts`. @param count how many messages to
   * read; without it, all before an empty text
   */
  async read (bytes: Buffer, count: number | undefined, cuts: readonly number[] = []): Promise<string[]> {
    const texts: string[] = []
    const { client } = this
    const all = new Promise<void>((resolve, reject) => {
      const done = (error?: Error): void => {
        client.off('message', onMessage).off('error', done).off('close', onClose)
        if (error === undefined) resolve()
        else reject(error)
      }
      const onClose = (code: number): void => { done(new Error(`closed with ${code}`)) }
      const onMessage = (data: Buffer, binary: boolean): void => {
        if (binary) done(new Error('a binary frame'))
        const text = data.toString()
        if (count === undefined && text === END) done()
        else if (texts.push(text) === count) done()
      }
      client.on('message', onMessage).on('error', done).on('close', onClose)
    })
    const places = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
    for (let i = 1; i < places.length; i++) this.socket.write(bytes.subarray(places[i - 1], places[i]))
    await all
    return texts
  }
}

async function readsBack (
  reader: Reader, texts: readonly string[], cuts: readonly number[] = [], encode = encodeTextFrames
): Promise<void> {
  const sent = [...texts, END]
  const got = await reader.read(encode(sent), sent.length, cuts)
  const wrong = sent.findIndex((text, i) => text !== got[i])
  if (wrong >= 0) throw new Error(`text ${wrong} of ${texts.length}: ${JSON.stringify(got[wrong])?.slice(0, 200)} instead of ${JSON.stringify(sent[wrong]).slice(0, 200)}`)
}

test('writes every length of the header, and its neighbours', async t => {
  const reader = await Reader.open(t)
  const sizes = [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 257, 65_534, 65_535, 65_536, 65_537, 200_000]
  for (const size of sizes) {
    await readsBack(reader, ['a'.repeat(size)])
    t.pass(`${size} bytes`)
  }
  await readsBack(reader, sizes.map(size => 'b'.repeat(size)))
  t.pass('all of them in one buffer')
})

test('counts the length in bytes, not in characters', async t => {
  const reader = await Reader.open(t)
  for (const character of ['é', '한', '😀', '\u2028', '\0']) {
    const bytes = Buffer.byteLength(character)
    for (const edge of [125, 126, 65_535, 65_536]) {
      const count = Math.floor(edge / bytes)
      await readsBack(reader, [character.repeat(count), character.repeat(count) + 'a', character.repeat(count + 1)])
      t.pass(`about ${edge} bytes of U+${character.codePointAt(0)!.toString(16)}`)
    }
  }
})

test('writes many frames into one buffer', async t => {
  const reader = await Reader.open(t)
  await readsBack(reader, Array.from({ length: 20_000 }, (_, i) => `{"sequence":${i},"data":"${'x'.repeat(i % 300)}"}`))
  t.pass('in order and whole')
})

test('writes any texts so that they are read back, wherever they are cut', async t => {
  const reader = await Reader.open(t)
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300, size: 'max' }),
    fc.tuple(fc.constantFrom('a', 'é', '한', '😀'), fc.nat(70_000)).map(([character, count]) => character.repeat(count))
  )
  const cutPlaces = fc.array(fc.nat(1_000_000), { maxLength: 8 })
  await fc.assert(fc.asyncProperty(fc.array(text, { maxLength: 8 }), cutPlaces, async (texts, cuts) => {
    await readsBack(reader, texts, cuts)
  }), { numRuns })
  t.pass(`${numRuns} lists`)
})

const DEFLATE = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12'

test('deflated: any texts, of any length, cut anywhere, by a client that keeps 4 KiB', async t => {
  const reader = await Reader.open(t, DEFLATE)
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300, size: 'max' }),
    fc.string({ unit: 'binary', minLength: 380, maxLength: 20_000, size: 'max' }),
    // Repeats that are further apart than the client remembers.
    fc.tuple(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6000, size: 'max' }), fc.nat(20)).map(([part, count]) => part.repeat(count)),
    fc.nat(400_000).map(length => 'a'.repeat(length))
  )
  const cutPlaces = fc.array(fc.nat(1_000_000), { maxLength: 8 })
  await fc.assert(fc.asyncProperty(fc.array(text, { maxLength: 8 }), cutPlaces, async (texts, cuts) => {
    await readsBack(reader, texts, cuts, encodeDeflatedFrames)
  }), { numRuns })
  t.pass(`${numRuns} lists`)
})

test('deflated: only what is long enough to be worth it', async t => {
  const reader = await Reader.open(t, DEFLATE)
  const short = 'a'.repeat(300)
  const long = '{"price":"185.50"}'.repeat(100)
  const noise = Array.from({ length: 600 }, (_, i) => String.fromCodePoint(0x4e00 + (i * 7919) % 20_000)).join('')
  t.same(encodeDeflatedFrames([short]), encodeTextFrames([short]))
  const frame = encodeDeflatedFrames([long])
  t.equal(frame[0], 0xc1, 'RFC 7692, 6: RSV1')
  t.ok(frame.length < 100)
  t.equal(frame.lastIndexOf(Buffer.from([0, 0, 0xff, 0xff])), -1, 'RFC 7692, 7.2.1: without the end of the block')
  t.same(await reader.read(encodeDeflatedFrames([short, long, noise, long]), 4), [short, long, noise, long], 'beside each other')
})

test('half a character becomes the replacement character: a frame is never invalid UTF-8', async t => {
  const reader = await Reader.open(t)
  t.same(await reader.read(encodeTextFrames(['a\ud800', '\udc00b']), 2), ['a\ufffd', '\ufffdb'])
})

test('the bytes of a server: final, unmasked, the shortest length (RFC 6455, 5.2)', async t => {
  t.same(encodeTextFrames([]), Buffer.alloc(0))
  t.same([...encodeTextFrames(['', 'Hi'])], [0x81, 0, 0x81, 2, 0x48, 0x69])
  t.same([...encodeTextFrames(['a'.repeat(126)]).subarray(0, 5)], [0x81, 126, 0, 126, 0x61])
  t.same([...encodeTextFrames(['a'.repeat(65_536)]).subarray(0, 11)], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0, 0x61])
})

test('the two dialects', async t => {
  const reader = await Reader.open(t)
  const messages = ['{"a":1}', '{"b":"é"}']
  t.same(await reader.read(native.on(plainFrames).join(messages), 2), messages, 'json: a frame is a message')
  t.same(await reader.read(batch.on(plainFrames).join(messages), 1), ['[{"a":1},{"b":"é"}]'], 'batch: a frame is an array')
  t.same(await reader.read(native.on(plainFrames).cursor('AQ-_.r'), 1), ['{"type":"cursor","cursor":"AQ-_.r"}'])
  t.same(await reader.read(batch.on(plainFrames).cursor('AQ-_.r'), 1), ['[{"type":"cursor","cursor":"AQ-_.r"}]'])
})

/** What Go's coder/websocket reads at most, where it is not told to read more. */
const MOST_BYTES = 32_768

test('a frame of batch ends at 32 KiB, or holds one message', async t => {
  const length = fc.tuple(fc.constantFrom('a', '한', '😀'), fc.oneof(fc.nat(400), fc.nat(12_000), fc.integer({ min: 32_700, max: 32_800 })))
  for (const [name, format, extension] of [['plain', batch.on(plainFrames), undefined], ['deflated', batch.on(deflatedFrames), DEFLATE]] as const) {
    const reader = await Reader.open(t, extension)
    await fc.assert(fc.asyncProperty(fc.array(length, { minLength: 1, maxLength: 40 }), async lengths => {
      const messages = lengths.map(([character, count]) => JSON.stringify(character.repeat(count)))
      const bytes = format.join(messages)
      const frames = await reader.readAll(bytes)
      const arrays = frames.map(frame => JSON.parse(frame) as string[])
      if (JSON.stringify(arrays.flat().map(text => JSON.stringify(text))) !== JSON.stringify(messages)) throw new Error('not the same messages')
      for (const [index, frame] of frames.entries()) {
        const { length } = arrays[index]!
        if (length > 1 && Buffer.byteLength(frame) > MOST_BYTES) throw new Error(`${length} messages in ${Buffer.byteLength(frame)} bytes`)
        const [next] = arrays[index + 1] ?? []
        const more = next === undefined ? Infinity : Buffer.byteLength(`${frame},${JSON.stringify(next)}`)
        if (more <= MOST_BYTES) throw new Error('the next message would have fitted')
      }
    }), { numRuns: Math.min(numRuns, 100) })
    t.pass(name)
  }
  const two = (bytes: number): string[] => ['"a"', `"${'b'.repeat(bytes - 8)}"`]
  const reader = await Reader.open(t)
  t.equal((await reader.read(batch.on(plainFrames).join(two(MOST_BYTES)), 1))[0]!.length, MOST_BYTES, '32 KiB are not too much')
  t.same((await reader.read(batch.on(plainFrames).join(two(MOST_BYTES + 1)), 2)).map(text => text.length), [5, MOST_BYTES - 3], 'one byte more is')
})

test('frames of batch that a client gets together become one, up to 32 KiB', async t => {
  const length = fc.tuple(fc.constantFrom('a', '한', '😀'), fc.oneof({ weight: 6, arbitrary: fc.nat(400) }, { weight: 2, arbitrary: fc.nat(9000) }, { weight: 1, arbitrary: fc.integer({ min: 32_700, max: 70_000 }) }))
  const topics = fc.array(fc.array(length, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 20 })
  const wires = [['plain', plainFrames, undefined], ['deflated', deflatedArrays, DEFLATE]] as const
  for (const [name, wire, extension] of wires) {
    const reader = await Reader.open(t, extension)
    const format = batch.on(wire)
    let joins = 0
    await fc.assert(fc.asyncProperty(topics, async lists => {
      const messages = lists.map(list => (
        list.map(([character, count]) => JSON.stringify(character.repeat(count)))))
      const pieces = messages.map(list => format.join(list))
      const copies = pieces.map(piece => Buffer.from(piece))
      const frames = await reader.readAll(joinArrayFrames(pieces))
      for (const [index, piece] of pieces.entries()) if (!piece.equals(copies[index]!)) throw new Error('a shared frame was changed')
      const arrays = frames.map(frame => JSON.parse(frame) as string[])
      if (JSON.stringify(arrays.flat().map(text => JSON.stringify(text))) !== JSON.stringify(messages.flat())) throw new Error('not the same messages')
      const alone = (await reader.readAll(Buffer.concat(pieces))).map(frame => Buffer.byteLength(frame))
      for (const [index, frame] of frames.entries()) {
        const bytes = Buffer.byteLength(frame)
        if (arrays[index]!.length > 1 && bytes > MOST_BYTES) throw new Error(`${arrays[index]!.length} messages in ${bytes} bytes`)
      }
      if (alone.reduce((sum, bytes) => sum + bytes, 0) <= MOST_BYTES && frames.length !== 1) throw new Error(`${frames.length} frames of ${alone.length}`)
      joins += alone.length - frames.length
    }), { numRuns: Math.min(numRuns, 100) })
    t.ok(joins > 0, `${name}: ${joins} frames less`)
  }
})

test('what was compressed for all topics of a window stays as small as it was', async t => {
  const quotes = (topic: number): string[] => Array.from({ length: 3 }, (_, index) => (
    `{"type":"quote","topic":"quotes:S${topic}","sequence":${index},"timestamp":"2026-01-05T10:00:00.000Z","data":{"symbol":"S${topic}","bid":"10${index}.50","ask":"10${index}.60","bid_size":"3","ask_size":"4"}}`))
  const pieces = [1, 2, 3, 4, 5].map(topic => batch.on(deflatedArrays).join(quotes(topic)))
  const before = [1, 2, 3, 4, 5].map(topic => batch.on(deflatedFrames).join(quotes(topic)))
  const joined = joinArrayFrames(pieces)
  const reader = await Reader.open(t, DEFLATE)
  t.same(await reader.read(joined, 1), [`[${[1, 2, 3, 4, 5].flatMap(quotes).join(',')}]`])
  const bytes = before.reduce((sum, { length }) => sum + length, 0)
  t.ok(joined.length < 1.03 * bytes, `${joined.length} bytes, and ${bytes} in frames of their own`)
})
