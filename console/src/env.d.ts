declare module "*.css";

// oxlint-disable-next-line no-var -- libraries read this very name of the global object
declare var __webpack_nonce__: string | undefined;
