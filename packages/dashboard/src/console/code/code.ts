import type { Action } from '../schema/check.js'
import { TOKEN_PLACE } from '../wire/credentials.js'
import { queryOf, type Subscribed } from '../wire/subscriptions.js'
import type { Twin } from '../wire/twin.js'
import { asArguments, asJavaScript, asPython, serverAddress, shellQuoted } from './place.js'

export const CODE_LANGUAGES = ['curl', 'JavaScript', 'Python'] as const
export type CodeLanguage = typeof CODE_LANGUAGES[number]

/** How the code that is copied asks: never with the token itself. */
export interface Asking {
  readonly hasToken: boolean
  /** Whether `curl` polls once, and reads no stream. */
  readonly polls: boolean
}

const ENVIRONMENT = TOKEN_PLACE.slice(1)
const AUTHORIZATION = ` \\\n  -H "Authorization: Bearer ${TOKEN_PLACE}"`
const authorization = (hasToken: boolean): string => hasToken ? AUTHORIZATION : ''

const optionsOf = ({ throttle_ms: throttleMs, depth, last }: Subscribed): object =>
  Object.fromEntries(Object.entries({ throttleMs, depth, last }).filter(([, value]) => value !== undefined))

/** Returns a program that follows what is subscribed. */
export function followingCode (
  language: CodeLanguage, subscribed: readonly Subscribed[], { hasToken, polls }: Asking
): string {
  // The program begins with the state; it has no cursor of its own yet.
  const all = subscribed.map(one => ({ ...one, covered: false }))
  switch (language) {
    case 'curl': {
      const stream = polls ? '' : " -N -H 'Accept: text/event-stream'"
      const url = `${serverAddress()}/v1/stream?${queryOf(all).join('&')}`
      return `curl${stream}${authorization(hasToken)} \\\n  ${shellQuoted(url)}\n`
    }
    case 'JavaScript': {
      const lines = all.map(({ channel, symbols, ...one }) => {
        const options = optionsOf({ channel, ...one })
        const more = Object.keys(options).length === 0 ? [] : [asJavaScript(options)]
        const named = symbols === undefined ? [] : [asJavaScript(symbols)]
        const args = [asJavaScript(channel), ...named, ...more]
        return `client.subscribe(${args.join(', ')}).onMessage(message => console.log(message))`
      })
      return [clientOfJavaScript(hasToken), ...lines, ''].join('\n')
    }
    case 'Python': {
      const isOne = all.length === 1
      const streams = all.map(({ channel, symbols, covered, ...options }, index) => {
        const args = [asPython(channel), ...(symbols === undefined ? [] : [asPython(symbols)])]
        const more = asArguments(options)
        if (more !== '') args.push(more)
        if (isOne) return `    for item in client.subscribe(${args.join(', ')}):\n        print(item)`
        return `    subscription_${index + 1} = client.subscribe(${[...args, 'on_item=print'].join(', ')})`
      })
      // Without a reader, the program must not end.
      const [imports, waiting] = isOne ? [[], []] : [['import time'], ['    time.sleep(3600)']]
      return [...clientOfPython(hasToken, imports), ...streams, ...waiting, ''].join('\n')
    }
  }
}

/** Returns a program that does what an action does, over HTTP. */
export function actionCode (
  language: CodeLanguage, action: Action, twin: Twin, hasToken: boolean
): string {
  const { method, path, body } = twin
  switch (language) {
    case 'curl': {
      const data = body === undefined
        ? ''
        : ` \\\n  -H 'Content-Type: application/json' -d ${shellQuoted(JSON.stringify(body))}`
      const verb = method === 'GET' || (method === 'POST' && body !== undefined) ? '' : ` -X ${method}`
      const url = shellQuoted(`${serverAddress()}/${path}`)
      return `curl${verb}${authorization(hasToken)}${data} \\\n  ${url}\n`
    }
    case 'JavaScript': {
      const init = {
        method, ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' } })
      }
      const sent = body === undefined ? '' : `,\n  body: JSON.stringify(${asJavaScript(body)})`
      const options = asJavaScript(init).slice(2, -2)
      const given = body === undefined ? `{ ${options} }` : `{\n  ${options}${sent}\n}`
      const args = method === 'GET' ? [asJavaScript(path)] : [asJavaScript(path), given]
      const call = `await client.fetch(${args.join(', ')})`
      const print = 'console.log(answer.status, await answer.json())'
      return [clientOfJavaScript(hasToken), `const answer = ${call}`, print, ''].join('\n')
    }
    case 'Python':
      return [...clientOfPython(hasToken), `    print(${pythonCall(action, twin)})`, ''].join('\n')
  }
}

function pythonCall (given: Action, { path, body }: Twin): string {
  const { action, id, order_id: order, client_order_id: own, ...fields } = given
  switch (action) {
    case 'publish': return `client.publish(${asPython(body)})`
    case 'ack': return `client.acknowledge(${asArguments(fields)})`
    case 'submit_order':
      return `client.submit_order(${asArguments({ client_order_id: own, ...fields })})`
    case 'cancel_order':
    case 'replace_order': {
      const args = [asPython(order ?? 'ORDER_ID'), asArguments(fields)]
      return `client.${action}(${args.join(', ')})`
    }
    default: return `client.get(${asPython(`/${path}`)})`
  }
}

function clientOfJavaScript (hasToken: boolean): string {
  const token = hasToken ? `, token: process.env.${ENVIRONMENT}` : ''
  return [
    "import { TickwireClient } from '@tickwire/client'",
    '',
    `const client = new TickwireClient({ url: ${asJavaScript(serverAddress())}${token} })`
  ].join('\n')
}

function clientOfPython (hasToken: boolean, imports: readonly string[] = []): string[] {
  const token = hasToken ? `, token=os.environ[${JSON.stringify(ENVIRONMENT)}]` : ''
  const standard = [...(hasToken ? ['import os'] : []), ...imports]
  return [
    ...standard,
    ...(standard.length > 0 ? [''] : []),
    'from tickwire import SyncClient',
    '',
    `with SyncClient(${asPython(serverAddress())}${token}) as client:`
  ]
}
