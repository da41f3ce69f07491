import { createContext, use } from "react";
import type { Host } from "../../sdk/types";

export const HostContext = createContext<Host>({});

/** What the host brought. */
export const useHost = () => use(HostContext);
