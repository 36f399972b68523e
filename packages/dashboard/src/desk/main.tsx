import type { ReactNode } from 'react'
import { showPage } from '../app/page.js'

const Content = (): ReactNode => <h1>Desk</h1>

void showPage({ name: 'desk', Content })
