import { createRoot } from "react-dom/client";
import { Button, MantineProvider } from "@mantine/core";
import { BrowserRouter } from "react-router";
import "@mantine/core/styles.layer.css";
createRoot(document.getElementById("root")!).render(<MantineProvider><BrowserRouter><Button>x</Button></BrowserRouter></MantineProvider>);
