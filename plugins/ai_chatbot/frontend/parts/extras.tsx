// What this release adds to the one before; `releases/1.0.0` has neither.
import type { ComponentType } from 'react';
import type { Ticket } from '../lib/guest';
import { Rating } from './Rating';
import { Statistics as Sums } from './Statistics';

export const AfterChat: ComponentType<{ ticket: Ticket }> | null = Rating;
export const Statistics: ComponentType | null = Sums;
