import { Component, type ReactNode } from "react";
import { t } from "../../sdk/words";
import { Failure } from "../../ui/pieces";

/** Keeps the failure of one page to itself: menu and search stay. Loading anew gets files that the server still has. */
export class PageGuard extends Component<{ at: string; children: ReactNode }, { failure: unknown }> {
  override state = { failure: null };
  static getDerivedStateFromError(failure: unknown) {
    return { failure };
  }
  override componentDidUpdate(before: { at: string }) {
    if (this.state.failure !== null && before.at !== this.props.at) this.setState({ failure: null });
  }
  override render() {
    if (this.state.failure === null) return this.props.children;
    const told = this.state.failure as { message?: string };
    const shown = { message: t("This page could not be shown"), mend: told.message ?? String(told) };
    return <div className="hb-page"><Failure error={shown} retry={() => location.reload()} /></div>;
  }
}
