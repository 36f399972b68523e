// Writes packages/protocol/vectors/signing.json, with which every implementation of signing is checked
// (PROTOCOL.md, Signing). It shares nothing with them: its canonical JSON is that of a library, and its
// signatures are OpenSSL's.
//
// node scripts/signing-vectors.js           writes the file
// node scripts/signing-vectors.js --check   fails if the file is not what it would write
import { createHmac, createPrivateKey, sign } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import canonicalize from 'canonicalize'

const FILE = fileURLToPath(new URL('../packages/protocol/vectors/signing.json', import.meta.url))

/** @param {string} hex */
const base64url = hex => Buffer.from(hex, 'hex').toString('base64url')

/**
 * @param {string} d
 * @param {string} x
 */
const ed25519 = (d, x) => ({ kty: 'OKP', crv: 'Ed25519', x: base64url(x), d: base64url(d) })

/** RFC 8032, 7.1, tests 1 to 3, and an HMAC key as long as its signatures. Everybody knows them. */
const keys = {
  client: ed25519(
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'
  ),
  server: ed25519(
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c'
  ),
  other: ed25519(
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025'
  ),
  hmac: { kty: 'oct', k: Buffer.from('tickwire vectors, known to anyone').toString('base64url') },
}

/** @param {unknown} value something that has canonical JSON */
const canonical = value => String(canonicalize(value))

/**
 * @param {keyof typeof keys} name
 * @param {string} text
 */
function signatureOf (name, text) {
  const key = keys[name]
  const bytes = 'k' in key
    ? createHmac('sha256', Buffer.from(key.k, 'base64url')).update(text).digest()
    : sign(null, Buffer.from(text), createPrivateKey({ format: 'jwk', key }))
  return bytes.toString('base64url')
}

const CONTROL = Array.from({ length: 32 }, (_, code) => `\\u${code.toString(16).padStart(4, '0')}`).join('')

/** JSON as somebody may write it. */
const CANONICAL = {
  'RFC 8785, 3.2.2': '{\n  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, ' +
    '0.000000000000000000000000001],' +
    '\n  "string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",' +
    '\n  "literals": [null, true, false]\n}',
  'RFC 8785, 3.2.3: names by their UTF-16 code units': '{"\\u20ac":"Euro Sign","\\r":"Carriage Return",' +
    '"\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\\ud83d\\ude00":"Emoji: Grinning Face",' +
    '"\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}',
  'RFC 8785, appendix B: numbers': '[0, -0, 5e-324, -5e-324, 1.7976931348623157e308, 9007199254740992, ' +
    '-9007199254740992, 295147905179352830000, 9.999999999999997e22, 1e23, 1.0000000000000001e23, ' +
    '999999999999999700000, 999999999999999900000, 1e21, 9.999999999999997e-7, 0.000001, ' +
    '333333333.3333332, 333333333.33333325, 333333333.3333333, 333333333.3333334, 333333333.33333343]',
  'numbers in other spellings': '[1.0, 100e-2, 1E+2, 1e-7, 123456789012345680000, 0.1, -1.50]',
  'nothing inside, and an empty name': '{"b":[],"a":{},"":null,"c":[{"b":1,"a":[2,[]]}]}',
  'control characters': `"${CONTROL}\\u007f"`,
  'characters that only some writers escape': '"/ \\/ < > & \' \\u2028 \\u2029 \\u00e9 \\ud83d\\ude00"',
  'no normalisation': '["\\u00e9","e\\u0301","\\uac00","\\u1100\\u1161"]',
  'a name before one that begins with it': '{"aa":1,"a":2,"aA":3,"A":4,"a.":5,"10":6,"9":7}',
  'a text alone': ' "삼성전자" ',
}

/** JSON that has no canonical form: half of a character has no UTF-8. */
const WITHOUT = {
  'the first half of a character': '"\\ud83d"',
  'the second half of a character': '{"a":["\\ude00"]}',
  'two halves in the wrong order': '"\\ude00\\ud83d"',
  'half of a character in a name': '{"\\ud83d":1}',
}

const TIME = '2026-11-29T14:30:00.123Z'
const submit = {
  action: 'submit_order',
  id: 7,
  client_order_id: 'desk-7/0001',
  symbol: 'AAPL',
  side: 'buy',
  order_type: 'limit',
  quantity: '5',
  limit_price: '185.50',
  time_in_force: 'day',
  timestamp: TIME,
}
const unusual = {
  timestamp: '2026-11-29T23:30:00.000+09:00',
  time_in_force: 'gtc',
  side: 'sell',
  symbol: '삼성전자',
  client_order_id: 'é e\u0301 😀 "\\/\n\u0001\u007f\u2028',
  order_type: 'stop',
  stop_price: '71000',
  quantity: '0.10',
  action: 'submit_order',
  id: '한',
}
const { action: _, id: __, ...body } = submit
const ORDER_ID = 'QmFzZTY0dXJsLTE2Ynl0ZQ'
const cancel = { action: 'cancel_order', request_id: 'c-1', order_id: ORDER_ID, timestamp: TIME }
const replace = {
  action: 'replace_order',
  id: 'r',
  request_id: 'r-1',
  client_order_id: 'desk-7/0001',
  quantity: '8',
  timestamp: TIME,
}

/** @type {[name: string, key: keyof typeof keys, action: string, message: Record<string, unknown>][]} */
const REQUESTS = [
  ['an order', 'client', 'submit_order', submit],
  ['an order, by HMAC', 'hmac', 'submit_order', submit],
  ['an order over HTTP, without action and id', 'client', 'submit_order', body],
  ['an order with unusual characters', 'client', 'submit_order', unusual],
  ['an order with unusual characters, by HMAC', 'hmac', 'submit_order', unusual],
  ['a cancel', 'client', 'cancel_order', cancel],
  ['a replace', 'hmac', 'replace_order', replace],
]

const filled = {
  order_id: ORDER_ID,
  client_order_id: 'desk-7/0001',
  symbol: 'AAPL',
  side: 'buy',
  order_type: 'limit',
  time_in_force: 'day',
  status: 'filled',
  quantity: '5',
  filled_qty: '5',
  leaves_qty: '0',
  limit_price: '185.52',
  avg_price: '185.512',
  exec_id: `${ORDER_ID}.2`,
  last_qty: '3',
  last_price: '185.52',
  fee: '0.55656',
  created_at: TIME,
  updated_at: '2026-11-29T14:30:01.456Z',
}
const rejected = {
  ...body,
  timestamp: undefined,
  order_id: ORDER_ID,
  client_order_id: 'é 😀',
  status: 'rejected',
  filled_qty: '0',
  leaves_qty: '5',
  reason: 'no liquidity',
  created_at: TIME,
  updated_at: TIME,
}

const withoutUndefined = value => JSON.parse(JSON.stringify(value))

const requests = REQUESTS.map(([name, key, action, message]) => {
  const { id, signature, ...covered } = message
  const signed = canonical({ ...covered, action })
  return { name, key, action, message: { ...message, signature: signatureOf(key, signed) }, signed }
})
const orders = [['a fill', filled], ['a rejection', rejected]].map(([name, order]) => {
  const data = withoutUndefined(order)
  const signed = canonical(data)
  return { name, key: 'server', data: { ...data, signature: signatureOf('server', signed) }, signed }
})

const [order, byHmac] = requests
const { signature } = order.message
const hmacSignature = byHmac.message.signature
/** The last character of a signature has bits to spare: this is another spelling of the same bytes. */
const respelt = signature.slice(0, -1) + { A: 'B', Q: 'R', g: 'h', w: 'x' }[signature.at(-1)]
const byPublicKey = createHmac('sha256', Buffer.from(keys.client.x, 'base64url')).update(order.signed)
  .digest('base64url')

/** @type {[name: string, changes: Record<string, unknown>, of?: typeof order][]} */
const TAMPERED_REQUESTS = [
  ['another quantity', { quantity: '50' }],
  ['the quantity in another spelling', { quantity: '5.0' }],
  ['the quantity as a number', { quantity: 5 }],
  ['the other side', { side: 'sell' }],
  ['another symbol', { symbol: 'AAPL2' }],
  ['another time', { timestamp: '2026-11-29T14:30:00.124Z' }],
  ['the same time in another spelling', { timestamp: '2026-11-29T14:30:00.123+00:00' }],
  ['a field more', { stop_price: '180' }],
  ['a field less', { limit_price: undefined }],
  ['another action', {}, { ...order, action: 'cancel_order' }],
  ['no signature', { signature: undefined }],
  ['an empty signature', { signature: '' }],
  ['half of the signature', { signature: signature.slice(0, 43) }],
  ['the signature in another spelling', { signature: respelt }],
  ['the signature with padding', { signature: `${signature}==` }],
  ['the signature in capitals', { signature: signature.toUpperCase() }],
  ['the signature of another request', { signature: requests[3].message.signature }],
  ['the signature of another key', { signature: signatureOf('other', order.signed) }],
  ['a signature by HMAC where the key is for Ed25519', { signature: hmacSignature }],
  ['HMAC with the public key as its secret', { signature: byPublicKey }],
  ['a signature by Ed25519 where the key is for HMAC', { signature }, byHmac],
  ['another quantity, by HMAC', { quantity: '50' }, byHmac],
  ['half of the signature, by HMAC', { signature: hmacSignature.slice(0, 22) }, byHmac],
]

const [fill] = orders
/** @type {[name: string, changes: Record<string, unknown>, key?: keyof typeof keys][]} */
const TAMPERED_ORDERS = [
  ['another price', { last_price: '185.53' }],
  ['a number in place of a decimal', { last_price: 185.52 }],
  ['another status', { status: 'canceled' }],
  ['a field less', { fee: undefined }],
  ['no signature', { signature: undefined }],
  ['the signature of another key', { signature: signatureOf('other', fill.signed) }],
  ['the key of another server', {}, 'other'],
]

const vectors = {
  about: 'Written by scripts/signing-vectors.js; PROTOCOL.md, Signing, has the rules. The keys are public.',
  keys,
  canonical: Object.entries(CANONICAL).map(([name, json]) =>
    ({ name, json, canonical: canonical(JSON.parse(json)) })),
  without_canonical: Object.entries(WITHOUT).map(([name, json]) => ({ name, json })),
  requests,
  orders,
  tampered_requests: TAMPERED_REQUESTS.map(([name, changes, { key, action, message } = order]) =>
    ({ name, key, action, message: withoutUndefined({ ...message, ...changes }) })),
  tampered_orders: TAMPERED_ORDERS.map(([name, changes, key = 'server']) =>
    ({ name, key, data: withoutUndefined({ ...fill.data, ...changes }) })),
}

// In ASCII, so that no editor changes a character that looks like another.
const text = `${JSON.stringify(vectors, null, 2)}\n`.replace(/[^\n -~]/g, unit =>
  `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
if (process.argv[2] !== '--check') {
  writeFileSync(FILE, text)
} else if (readFileSync(FILE, 'utf8') !== text) {
  console.error('packages/protocol/vectors/signing.json is not what scripts/signing-vectors.js writes')
  process.exitCode = 1
}
