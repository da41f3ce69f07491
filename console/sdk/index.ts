/** What a plugin's frontend may use of the console around it. Everything else of the console is private. */
export { api, ApiError, type Options as ApiOptions, type Problem } from "./api";
export { useApi, useSettings, type Loaded, type Settings } from "./data";
export { navigate, notify, type Note } from "./doors";
export { useHotState } from "./hot";
export { usePermission, useRegistry, useViewer } from "./registry";
export { Slot, type SlotProps } from "./Slot";
export { publish, useEvents, viewerChanged } from "./stream";
export { useTheme } from "./theme";
export { defineHost, type Host, type HostPage, type MenuEntry, type PluginEntry, type PluginProps, type Progress, type Registry } from "./types";
export { language, t, useT } from "./words";
