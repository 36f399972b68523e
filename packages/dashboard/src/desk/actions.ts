import { Actions } from '@tickwire/client/actions'
import { useClient } from '@tickwire/client/react'

export type Client = ReturnType<typeof useClient>

const all = new WeakMap<Client, Actions>()

/** Returns the actions of a client: one object, so that what all panels do goes out in one order. */
export function actionsOf (client: Client): Actions {
  let actions = all.get(client)
  if (actions === undefined) all.set(client, actions = new Actions(client))
  return actions
}

export const useActions = (): Actions => actionsOf(useClient())
