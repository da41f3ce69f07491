// What the next release adds.
import type { ComponentType } from 'react';
import type { Ticket } from '../lib/guest';

export const AfterChat: ComponentType<{ ticket: Ticket }> | null = null;
export const Statistics: ComponentType | null = null;
