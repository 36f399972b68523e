import { type ReactNode, useEffect, useState } from 'react'
import { TickwireClient } from '@tickwire/client'
import { TickwireProvider } from '@tickwire/client/react'
import { freshToken, login } from './session.js'
import { useStore } from './store.js'

/**
 * Gives the page a client for its user. Another user gets another client: nothing of the former one stays.
 */
export function ClientOfUser ({ children }: { readonly children: ReactNode }): ReactNode {
  const user = useStore(login)?.user
  return <ClientFor key={user ?? ''}>{children}</ClientFor>
}

function ClientFor ({ children }: { readonly children: ReactNode }): ReactNode {
  const [client, setClient] = useState<TickwireClient>()
  useEffect(() => {
    const made = new TickwireClient({ url: '.', getToken: freshToken })
    setClient(made)
    return () => { made.close() }
  }, [])
  if (client === undefined) return null
  return <TickwireProvider client={client}>{children}</TickwireProvider>
}
