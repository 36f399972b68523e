/** Where the libraries of a program come from. */
export const languages = ['npm', 'PyPI', 'Go', 'Maven'] as const
export type Language = typeof languages[number]

export type Wire = 'WebSocket, json' | 'WebSocket, batch' | 'events' | 'polling'

/** A program that reads the stream with one library, as the library's own pages show. */
export interface ThirdPartyClient {
  /** Names the program's file, too. */
  readonly name: string
  readonly language: Language
  /** The package as its manifest names it; absent: what the language brings along. */
  readonly library?: string
  readonly wire: Wire
  /**
   * Set if its package cannot be installed beside the others, because two of them are one module.
   * `<name>.txt` then names the package, and it gets a folder of its own.
   */
  readonly apart?: true
}

const client = (language: Language, name: string, wire: Wire, library?: string): ThirdPartyClient =>
  ({ language, name, wire, ...library === undefined ? {} : { library } })

export const thirdPartyClients: readonly ThirdPartyClient[] = [
  client('npm', 'ws', 'WebSocket, json', 'ws'),
  client('npm', 'undici-websocket', 'WebSocket, batch', 'undici'),
  client('npm', 'websocket', 'WebSocket, json', 'websocket'),
  client('npm', 'faye-websocket', 'WebSocket, batch', 'faye-websocket'),
  client('npm', 'reconnecting-websocket', 'WebSocket, json', 'reconnecting-websocket'),
  client('npm', 'partysocket', 'WebSocket, batch', 'partysocket'),
  client('npm', 'sockette', 'WebSocket, json', 'sockette'),
  client('npm', 'rxjs', 'WebSocket, batch', 'rxjs'),
  client('npm', 'undici-eventsource', 'events', 'undici'),
  client('npm', 'eventsource-2', 'events', 'eventsource-2'),
  client('npm', 'eventsource', 'events', 'eventsource'),
  client('npm', 'eventsource-4', 'events', 'eventsource-4'),
  client('npm', 'eventsource-client', 'events', 'eventsource-client'),
  client('npm', 'eventsource-parser', 'events', 'eventsource-parser'),
  client('npm', 'event-source-polyfill', 'events', 'event-source-polyfill'),
  client('npm', 'fetch-event-source', 'events', '@microsoft/fetch-event-source'),
  client('npm', 'fetch-event-stream', 'events', 'fetch-event-stream'),
  client('npm', 'launchdarkly-eventsource', 'events', 'launchdarkly-eventsource'),
  client('npm', 'fetch', 'polling'),
  client('npm', 'axios', 'polling', 'axios'),
  client('npm', 'got', 'polling', 'got'),

  client('PyPI', 'websockets_client', 'WebSocket, batch', 'websockets'),
  client('PyPI', 'websocket_client', 'WebSocket, json', 'websocket-client'),
  client('PyPI', 'aiohttp_websocket', 'WebSocket, batch', 'aiohttp'),
  client('PyPI', 'tornado_client', 'WebSocket, json', 'tornado'),
  client('PyPI', 'autobahn_client', 'WebSocket, batch', 'autobahn'),
  client('PyPI', 'httpx_ws_client', 'WebSocket, json', 'httpx-ws'),
  client('PyPI', 'httpx_sse_client', 'events', 'httpx-sse'),
  client('PyPI', 'aiosseclient_client', 'events', 'aiosseclient'),
  client('PyPI', 'aiohttp_sse', 'events', 'aiohttp-sse-client'),
  client('PyPI', 'sseclient_py', 'events', 'sseclient-py'),
  { ...client('PyPI', 'sseclient_btubbs', 'events', 'sseclient'), apart: true },
  client('PyPI', 'requests_sse_client', 'events', 'requests-sse'),
  client('PyPI', 'launchdarkly_client', 'events', 'launchdarkly-eventsource'),
  client('PyPI', 'requests_polling', 'polling', 'requests'),

  client('Go', 'coder', 'WebSocket, batch', 'github.com/coder/websocket'),
  client('Go', 'gorilla', 'WebSocket, json', 'github.com/gorilla/websocket'),
  client('Go', 'gobwas', 'WebSocket, batch', 'github.com/gobwas/ws'),
  client('Go', 'gws', 'WebSocket, json', 'github.com/lxzan/gws'),
  client('Go', 'xnet', 'WebSocket, json', 'golang.org/x/net'),
  client('Go', 'r3labs', 'events', 'github.com/r3labs/sse/v2'),
  client('Go', 'tmaxmax', 'events', 'github.com/tmaxmax/go-sse'),
  client('Go', 'launchdarkly', 'events', 'github.com/launchdarkly/eventsource'),
  client('Go', 'nethttp', 'polling'),

  client('Maven', 'JavaWebSocket', 'WebSocket, json', 'Java-WebSocket'),
  client('Maven', 'OkHttpWebSocket', 'WebSocket, batch', 'okhttp'),
  client('Maven', 'NvWebSocket', 'WebSocket, json', 'nv-websocket-client'),
  client('Maven', 'JdkWebSocket', 'WebSocket, batch'),
  client('Maven', 'Tyrus', 'WebSocket, batch', 'tyrus-standalone-client'),
  client('Maven', 'JettyWebSocket', 'WebSocket, json', 'jetty-websocket-jetty-client'),
  client('Maven', 'OkHttpSse', 'events', 'okhttp-sse'),
  client('Maven', 'LaunchDarkly', 'events', 'okhttp-eventsource'),
  client('Maven', 'JerseySse', 'events', 'jersey-media-sse'),
  client('Maven', 'JdkPolling', 'polling')
]
