import { createContext, createElement, type ReactNode, useContext } from 'react'
import type { Client } from '../client.js'

const Context = createContext<Client | undefined>(undefined)

export interface TickwireProviderProps {
  /** The client of all hooks below; the application makes it, and closes it. */
  readonly client: Client
  readonly children?: ReactNode
}

/** Gives the hooks below it their client. */
export const TickwireProvider = ({ client, children }: TickwireProviderProps): ReactNode =>
  createElement(Context.Provider, { value: client }, children)

/** Returns the client. @throws Error outside of a provider */
export function useClient (): Client {
  const client = useContext(Context)
  if (client === undefined) throw new Error('there is no <TickwireProvider client={…}> around this component')
  return client
}
